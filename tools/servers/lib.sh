# lib.sh - what the server recipes beside it share; sourced, never run.
#
# Every recipe takes fetch, start, stop and status. start prints key=value lines (port= first)
# when the server answers. What a registry or a package does not give ends in one line
# "unavailable: REASON" on stdout and exit code 77, which the tests turn into a skip.
# Downloads live in $SPATE_CACHE (default ~/.cache/spate); a server's own files live in the
# directory given to start. Everything listens on 127.0.0.1 only.
set -eu

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
parts=$here/parts
cache=${SPATE_CACHE:-$HOME/.cache/spate}
heap=${SPATE_SERVER_HEAP:-384m}
server_user=shipper
server_password=shipper-secret

unavailable() {
    echo "unavailable: $*"
    exit 77
}

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# install PACKAGE: Debian's package, when we may.
install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 ||
        unavailable "Debian package $1 is not installed"
    mkdir -p "$cache"
    {
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"
    } >"$cache/apt.log" 2>&1 || unavailable "Debian package $1 did not install (see $cache/apt.log)"
}

# need COMMAND PACKAGE: installs the package when the command is missing.
need() {
    command -v "$1" >/dev/null 2>&1 || install "$2"
    command -v "$1" >/dev/null 2>&1 || unavailable "$1 is missing after installing $2"
}

free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# maven LOG ARGUMENTS...: one quiet Maven run; a failure means the registry did not answer.
maven() {
    local log=$1
    shift
    mvn -q -B -Dstyle.color=never "$@" >"$log" 2>&1 ||
        unavailable "Maven: $(grep -m1 -E 'ERROR' "$log" | cut -c1-200)"
}

# alive PIDFILE: whether the process it names still runs.
alive() {
    [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null
}

# end PIDFILE SECONDS: TERM, then KILL when it stays.
end() {
    local pid i
    alive "$1" || return 0
    pid=$(cat "$1")
    kill "$pid" 2>/dev/null || :
    i=0
    while [ "$i" -lt $(($2 * 5)) ]; do
        kill -0 "$pid" 2>/dev/null || { rm -f "$1"; return 0; }
        sleep 0.2
        i=$((i + 1))
    done
    kill -9 "$pid" 2>/dev/null || :
    rm -f "$1"
}

# java_home LOWEST HIGHEST: a JDK whose version lies between them.
java_home() {
    local java version
    for java in "${JAVA_HOME:-/nonexistent}"/bin/java /usr/lib/jvm/*/bin/java /opt/*/bin/java; do
        [ -x "$java" ] || continue
        version=$("$java" -XshowSettings:properties -version 2>&1 |
            sed -n 's/.*java.specification.version = //p')
        case $version in 1.*|'') continue ;; esac
        if [ "$version" -ge "$1" ] && [ "$version" -le "$2" ]; then
            dirname "$(dirname "$(readlink -f "$java")")"
            return 0
        fi
    done
    return 1
}
