# A Docker engine for the tests, as root on Linux: in a network namespace of its own, so that its bridges,
# firewall rules and forwarding never meet this machine's, with all its data below $WORK/docker. Tests find it by
# DOCKER_HOST. Where an engine answers already, the tests use that one; where none can be had, they say so.

readonly DOCKER=$WORK/docker
readonly DOCKER_NAMESPACE=docker-for-tests # not "muster-…", which would be a machine's
readonly DOCKER_LINK=mdockertests
readonly DOCKER_TABLE=2112
# Beside the ranges of the machines' other technique (10.210 and 10.211).
readonly DOCKER_MACHINES=10.212.0.0/16
readonly DOCKER_WAIT_TENTHS_MAX=300

# Sets DOCKER_HOST and MUSTER_TEST_DOCKER_NETWORK when it made an engine.
docker_start() {
  local answer
  has docker || return 0
  if answer=$(timeout 10 docker info --format '{{.ServerVersion}}' 2>/dev/null) && [ -n "$answer" ]; then return 0; fi
  if [ -n "${DOCKER_HOST:-}" ] || ! is_root || ! has dockerd || ! has iptables; then return 0; fi
  docker_stop
  mkdir -p "$DOCKER"
  printf "{}\n" >"$DOCKER/daemon.json" # not this machine's /etc/docker/daemon.json
  if ! docker_network || ! docker_engine; then
    absent "a Docker engine (see .work/docker.log): no local machines in containers"
    docker_stop
    return 0
  fi
  export DOCKER_HOST=unix://$DOCKER/docker.sock MUSTER_TEST_DOCKER_NETWORK=$DOCKER_MACHINES
}

# What leads to the containers is in a table of its own: the machine's main table shall not seem to use the range.
docker_network() {
  local in=(ip -n "$DOCKER_NAMESPACE")
  {
    ip netns add "$DOCKER_NAMESPACE" &&
      "${in[@]}" link set lo up &&
      ip link add "$DOCKER_LINK" type veth peer name host netns "$DOCKER_NAMESPACE" &&
      ip address add 10.213.255.1/30 dev "$DOCKER_LINK" &&
      ip link set "$DOCKER_LINK" up &&
      "${in[@]}" address add 10.213.255.2/30 dev host &&
      "${in[@]}" link set host up &&
      ip route add "$DOCKER_MACHINES" via 10.213.255.2 table "$DOCKER_TABLE" &&
      ip rule add to "$DOCKER_MACHINES" lookup "$DOCKER_TABLE" &&
      # The machine stands outside of the engine's namespace, where Docker forwards nothing by itself.
      ip netns exec "$DOCKER_NAMESPACE" iptables -N DOCKER-USER &&
      ip netns exec "$DOCKER_NAMESPACE" iptables -A DOCKER-USER -i host -j ACCEPT &&
      ip netns exec "$DOCKER_NAMESPACE" iptables -A DOCKER-USER -o host -j ACCEPT &&
      # To a container the machine looks as it does to one of its own engine: it has the bridge's address.
      ip netns exec "$DOCKER_NAMESPACE" iptables -t nat -A POSTROUTING \
        -s 10.213.255.0/30 -d "$DOCKER_MACHINES" -j MASQUERADE
  } >"$WORK/docker.log" 2>&1
}

docker_engine() {
  local i
  # Not `ip netns exec`: it mounts a fresh /sys and so hides the control groups.
  nsenter --net="/run/netns/$DOCKER_NAMESPACE" setsid dockerd --host "unix://$DOCKER/docker.sock" \
    --data-root "$DOCKER/data" --exec-root "$DOCKER/exec" --pidfile "$DOCKER/pid" --config-file "$DOCKER/daemon.json" \
    --exec-opt native.cgroupdriver=cgroupfs --ip-masq=false --bip 10.213.0.1/24 \
    --default-address-pool base=10.213.128.0/18,size=24 </dev/null >>"$WORK/docker.log" 2>&1 &
  for ((i = 0; i < DOCKER_WAIT_TENTHS_MAX; i++)); do
    if timeout 5 docker --host "unix://$DOCKER/docker.sock" info >/dev/null 2>&1; then return 0; fi
    if [ $i -gt 20 ] && ! kill -0 $! 2>/dev/null; then return 1; fi
    sleep 0.1
  done
  return 1
}

docker_stop() {
  local pid i
  if [ -e "$DOCKER/pid" ]; then
    pid=$(cat "$DOCKER/pid")
    # After a restart of the machine the number may be another's.
    if grep -qz dockerd "/proc/$pid/cmdline" 2>/dev/null; then
      kill "$pid" 2>/dev/null || true
      for ((i = 0; i < DOCKER_WAIT_TENTHS_MAX; i++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
      done
    fi
  fi
  ip rule delete to "$DOCKER_MACHINES" lookup "$DOCKER_TABLE" 2>/dev/null || true
  ip route flush table "$DOCKER_TABLE" 2>/dev/null || true
  ip link delete "$DOCKER_LINK" 2>/dev/null || true
  ip netns delete "$DOCKER_NAMESPACE" 2>/dev/null || true
  rm -rf "$DOCKER"
}
