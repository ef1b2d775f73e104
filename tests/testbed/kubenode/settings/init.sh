#!/bin/bash
# PID 1 of the node's own mount, network, PID, UTS and IPC namespaces. What it mounts, routes or
# filters is not seen outside, and when it ends the kernel ends every process of the node.
set -e
node=$1
mount --make-rshared / # kubelet and containerd mount for each other
for folder in /var/lib/cni /var/lib/kubelet /var/log/pods /var/log/containers /etc/cni /run/containerd; do
  mkdir -p "$node/root$folder" "$folder"
  mount --bind "$node/root$folder" "$folder"
done
# The kubelet insists on settings of the whole machine. It is shown files with the values it
# wants, and the machine keeps its own.
for setting in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do
  file=$node/sysctl/${setting%%=*}
  mkdir -p "${file%/*}"
  echo "${setting#*=}" > "$file"
  mount --bind "$file" "/proc/sys/${setting%%=*}"
done
hostname node1
ip link set lo up
# The node's address is on a pair of interfaces that lead to each other: there is no way out.
ip link add node0 type veth peer name node0p
ip addr add 10.77.0.1/24 dev node0
ip link set node0 up
ip link set node0p up
ip route add 10.96.0.0/16 dev node0 # addresses of Services need a route before they are translated
echo 1 > /proc/sys/net/ipv4/ip_forward
touch "$node/is-up"
trap 'exit 0' TERM
while :; do
  sleep 3600 &
  wait $! || true # bash buries whatever is orphaned here
done
