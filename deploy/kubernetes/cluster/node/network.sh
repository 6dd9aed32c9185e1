#!/bin/sh
# Connects two nodes, also after the second was replaced: network.sh PID_OF_N1 PID_OF_N2
#
# Their network exists only in their namespaces: no interface, route or rule on the machine, and no way out.
#   198.18.0.0/24   nodes, on a bridge in n1
#   198.18.1.0/24   pods of n1; 198.18.2.0/24 those of n2
#   198.19.0.0/24   addresses of Services, which kube-proxy replaces
set -eu
n1() { nsenter --target "$first" --net -- "$@"; }
n2() { nsenter --target "$second" --net -- "$@"; }
first=$1 second=$2

if ! n1 ip link show node0 >/dev/null 2>&1; then
  n1 ip link add node0 type bridge
  n1 ip addr add 198.18.0.1/24 dev node0
  n1 ip link set node0 up
  n1 ip route add 198.19.0.0/24 dev node0
fi

# The end of a node that is gone may still be there.
n1 ip link del to-n2 2>/dev/null || true
n1 ip link add to-n2 type veth peer name node0 netns "$second"
n1 ip link set to-n2 master node0 up
n2 ip addr add 198.18.0.2/24 dev node0
n2 ip link set node0 up
n2 ip route add 198.19.0.0/24 via 198.18.0.1

n1 ip route replace 198.18.2.0/24 via 198.18.0.2
n2 ip route add 198.18.1.0/24 via 198.18.0.1
