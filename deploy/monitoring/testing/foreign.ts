/** The metrics of other exporters that we query, by exporter. */
export const foreignMetrics: Record<string, string[]> = {
  prometheus: ['up'],
  alertmanager: ['alertmanager_notifications_failed_total'],
  'kube-state-metrics': [
    'kube_pod_container_status_restarts_total',
    'kube_deployment_spec_replicas',
    'kube_deployment_status_replicas_available',
    'kube_deployment_status_condition',
    'kube_job_failed',
    'kube_horizontalpodautoscaler_status_current_replicas',
    'kube_horizontalpodautoscaler_spec_max_replicas',
  ],
  kubelet: ['kubelet_volume_stats_available_bytes', 'kubelet_volume_stats_capacity_bytes'],
  'node-exporter': ['node_cpu_seconds_total', 'node_memory_MemAvailable_bytes', 'node_memory_MemTotal_bytes'],
}
