#!/bin/sh
# Process 1 of a node, in namespaces of its own: init.sh NAME PAUSE
#
# It hides from the node the folders of the machine that Kubernetes would write to, and the settings of the kernel that the kubelet
# wants to change, so that the machine stays as it is.
set -eu
name=$1 pause=$2

hostname "$name"
# Mounts of containers must reach the kubelet, and stay within the node.
mount --make-rshared /
for hidden in /run /var/log /var/lib; do mount -t tmpfs -o mode=755 tmpfs "$hidden"; done

setting() {
  file=/run/setting-$(echo "$1" | tr / -)
  echo "$2" >"$file"
  mount --bind "$file" "/proc/sys/$1"
}
setting vm/overcommit_memory 1
setting vm/panic_on_oom 0
setting kernel/panic 10
setting kernel/panic_on_oops 1
setting kernel/keys/root_maxkeys 1000000
setting kernel/keys/root_maxbytes 25000000

# Those of the network belong to the node's own namespace.
echo 1 >/proc/sys/net/ipv4/ip_forward
ip link set lo up
exec "$pause"
