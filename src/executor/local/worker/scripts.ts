/**
 * The two programs of the local executor that are not Node, for dash or any POSIX shell. They are kept as text, so that
 * a build has nothing to copy.
 */

/**
 * The spawner: makes workers' FIFOs, starts their shims when the server has opened them, gives trees to the steps' account
 * and removes them on request, ends what an account runs, so that the server itself never forks (Node forks on its main thread, and slower as its
 * heap grows). Reads `<verb> <path>` lines, answers `<verb> <path>`, ends with its stdin.
 * `setsid -f` and never `&`: a shell starts background commands with SIGINT and SIGQUIT ignored, and what is ignored at
 * its start no script can get back. $1 is the shim's text. Who gets a tree, or is to be ended, comes in a second line.
 * `kill -1` of an account ends all its processes at once, also one that forks without end.
 */
export const spawnerScript = `
trap : PIPE
while IFS= read -r request; do
  verb=\${request%% *} path=\${request#* }
  case $verb in
  worker)
    if mkfifo -m 600 "$path/live" "$path/events"; then verb=made; else verb=failed; fi
    printf '%s\\n' "$verb $path" ;;
  shim)
    if SHIPINATOR_WORKER=$path setsid -f /bin/sh -c "$1" shipinator-shim "$path" </dev/null >/dev/null
    then verb=started; else verb=failed; fi
    printf '%s\\n' "$verb $path" ;;
  own)
    IFS= read -r account
    setsid -f /bin/sh -c '
      if chown -hR $2 "$1"; then verb=owned; else verb=failed; fi
      printf "%s\\n" "$verb $1"' shipinator-own "$path" "$account" </dev/null ;;
  vacate)
    IFS= read -r account
    setsid -f /bin/sh -c '
      user=\${2%%:*} group=\${2#*:} own=\${1%/*/*}
      "$3" "--reuid=$user" "--regid=$group" --clear-groups --no-new-privs -- /bin/sh -c "kill -KILL -1"
      find /tmp /var/tmp /dev/shm -xdev ! -path "$own/*" -user "$user" -delete
      printf "%s\\n" "vacated $1"
    ' shipinator-vacate "$path" "\${account%% *}" "\${account#* }" </dev/null 2>/dev/null ;;
  remove)
    setsid -f /bin/sh -c '
      rm -rf -- "$1" 2>/dev/null || { chmod -R u+rwX -- "$1" 2>/dev/null; rm -rf -- "$1"; }
      if [ -e "$1" ]; then verb=kept; else verb=removed; fi
      printf "%s\\n" "$verb $1"' shipinator-remove "$path" </dev/null ;;
  esac
done
`;

/**
 * The shim: a session that runs the steps of one worker, one after another, and outlives the server. $1 is the worker's
 * directory. Each round is forked before its step is known, so that a released step pays for
 * two execs and no fork. Left side: waits for the name of a step on the FIFO (end of file: the server is gone),
 * takes the start lock, tells the log writer where to write, runs the step script (environment, directory, the user's shell), appends
 * the exit status to it in one terminated line. Right side, the writer: appends to the log up to the cap, then drains and
 * counts. It reads none of the step's files: the script may have removed them before it came to that.
 *
 * Exit status and the log's state go two ways: into the step's file, for a server that comes later, and through the FIFO,
 * because a full disk takes no lines. The log writer has no end of the FIFO, so its own exit status carries the log's state.
 *
 * A FIFO that is opened for one direction waits for whoever opens it for the other, and the server may be dead: so each
 * is open in both (6) while it is opened. The server has it open before the shim starts, or is gone: then there is an
 * end of file.
 *
 * Signals are trapped, not ignored: a handler falls back to the default in what is executed, an ignored signal does not.
 * It does so in a subshell too, so each side sets its own.
 * The log writer alone ignores them, as does dd. dd counts a short read as a whole block, so it is started again until it made
 * no more progress than an end of file explains. Where secrets are to be masked, a program of ours stands in its place.
 */
export const shimScript = `
trap : PIPE TERM INT HUP
exec 2>/dev/null
exec 7>>"$1/began"
exec 6<>"$1/events" 8>"$1/events" 6<>"$1/live" 9<"$1/live" 6>&-
. "$1/setup" || { echo refused >&8; exit 1; }
steps=\${1%/workers/*}/steps
echo "ready $$" >&8
while :; do
  {
    trap : PIPE TERM INT HUP
    read -r step <&9 || exit 1
    set -- "$1" "$steps/$step" "$step"
    set -C
    true >"$2.lock" || exit 1
    set +C
    echo "$3" >&7
    echo "begun $3" >&8
    set -- "$1" "$2"
    . "$2"
    printf '%s\\n' "$step" "$cap" "$log" "$writer"
    set -- "$1" "$2" "$step"
    . "$2" 7>&- 8>&- 9<&- </dev/null
    ended=$?
    echo "#exit $ended" >>"$2"
    echo "exit $3 $ended" >&8
  } | {
    trap '' TERM INT HUP
    exec 7>&- 8>&- 9<&-
    read -r step && read -r cap && IFS= read -r log && IFS= read -r writer || exit 1
    set -- "$1" "$steps/$step"
    exec >>"$log"
    pos=0 state=whole
    if [ -n "$writer" ]; then
      eval "SHIPINATOR_LOG_WRITER=1 $writer" '"$cap" "$2.drained"'
      case $? in 0) ;; 3) state=capped ;; 137) state=cut ;; *) state=torn ;; esac
    else while :; do
      before=$pos
      dd bs=65536 iflag=count_bytes "count=$((cap - pos))" status=none
      ended=$?
      read -r _ pos </proc/self/fdinfo/1
      if [ "$ended" -gt 128 ]; then state=cut; break; fi
      if [ "$ended" -ne 0 ] || [ "$pos" -ge "$cap" ]; then
        if [ "$ended" -eq 0 ]; then state=capped; else state=torn; fi
        LC_ALL=C dd bs=65536 of=/dev/null 2>"$2.drained" || dd bs=65536 of=/dev/null
        break
      fi
      [ "$((pos - before))" -ge "$(((cap - before) / 65536))" ] && [ "$pos" -gt "$before" ] || break
    done; fi
    echo "#log $state" >>"$2"
    case $state in whole) exit 0 ;; capped) exit 3 ;; cut) exit 5 ;; *) exit 4 ;; esac
  }
  case $? in 0) state=whole ;; 3) state=capped ;; 4) state=torn ;; 5) state=cut ;; *) exit 0 ;; esac
  echo "over $state" >&8
done
`;
