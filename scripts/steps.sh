# Sourced by `scripts/test`: steps with their names and times, what was skipped, and the summary.
# A step ends with 0 (ok), 77 (it proved nothing on this machine: SKIPPED) or anything else (FAILED). What is skipped within a step, such as one
# test of many, is a line of the file that SKIPPED_LIST names (`skipped` here, `skipped::skipped` in Rust).
# With REQUIRE=all, whatever is skipped fails the run.

readonly SKIPPED_CODE=77
readonly LINE='────────────────────────────────────────────────────────────────────'
declare -a WANTED=() NAMES=() RESULTS=() TIMES=()

SKIPPED_LIST=$(mktemp)
export SKIPPED_LIST
trap 'rm -f "$SKIPPED_LIST"' EXIT

# skipped WHAT WHY: a part of a step.
skipped() {
  printf 'SKIPPED: %s, because %s\n' "$1" "$2" | tee -a "$SKIPPED_LIST"
}
# A whole step: skip WHAT WHY; return.
skip() {
  skipped "$@"
  return "$SKIPPED_CODE"
}
skipped_so_far() { wc -l <"$SKIPPED_LIST"; }

since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'; }
record() {
  NAMES+=("$1")
  RESULTS+=("$2")
  TIMES+=("$3")
}
wanted() {
  local word
  [ ${#WANTED[@]} -gt 0 ] || return 0
  for word in "${WANTED[@]}"; do [[ $1 == *"$word"* ]] && return 0; done
  return 1
}

# step NAME COMMAND…
step() {
  local name=$1 start=$EPOCHREALTIME code=0 before parts result
  shift
  wanted "$name" || return 0
  before=$(skipped_so_far)
  printf '\n── %s %s\n' "$name" "${LINE:${#name}}"
  "$@" </dev/null || code=$?
  parts=$(($(skipped_so_far) - before))
  case $code in
    0) if [ "$parts" = 0 ]; then result=ok; else result="ok, $parts SKIPPED"; fi ;;
    "$SKIPPED_CODE")
      # Whoever says only by the code that nothing was proved is counted, too.
      [ "$parts" -gt 0 ] || skipped "$name" "the step says so"
      result=SKIPPED
      ;;
    *) result="FAILED ($code)" ;;
  esac
  record "$name" "$result" "$(since "$start")"
  printf '── %s: %s, %s s\n' "$name" "${RESULTS[-1]}" "${TIMES[-1]}"
}
# A step that runs only when it is named: a part of another one.
part() { [ ${#WANTED[@]} = 0 ] || step "$@"; }

# beside GAPS STEPS: runs the steps of the function GAPS in what the steps of the function STEPS, which mostly wait, leave of the processors. Both
# print whole: first what STEPS say, then GAPS.
beside() {
  local scratch pid
  scratch=$(mktemp -d)
  (
    SKIPPED_LIST=$scratch/skipped NAMES=() RESULTS=() TIMES=()
    : >"$SKIPPED_LIST"
    # Only when nobody else wants to run; where that class cannot be had, at the lowest priority.
    chrt --idle --pid 0 "$BASHPID" >/dev/null 2>&1 || renice -n 19 "$BASHPID" >/dev/null
    "$1"
    declare -p NAMES RESULTS TIMES >"$scratch/results"
  ) >"$scratch/said" 2>&1 &
  pid=$!
  "$2"
  wait "$pid" || true
  cat "$scratch/said"
  # Whatever ends the shell before it could tell its results is a failure of its own.
  if [ -s "$scratch/results" ]; then
    local -a names results times
    eval "$(sed 's/ NAMES=/ names=/; s/ RESULTS=/ results=/; s/ TIMES=/ times=/' "$scratch/results")"
    NAMES+=("${names[@]}")
    RESULTS+=("${results[@]}")
    TIMES+=("${times[@]}")
  else
    record "steps in the gaps ($1)" 'FAILED (ended)' 0
  fi
  cat "$scratch/skipped" >>"$SKIPPED_LIST"
  rm -rf "$scratch"
}

# The table, what was skipped, and the verdict as exit code.
summary() {
  local index failed=0 steps=0 all=${#NAMES[@]} parts passed
  parts=$(skipped_so_far)
  printf '\n%s\n' "$LINE"
  for index in "${!NAMES[@]}"; do
    printf '%-36s %16s %10s s\n' "${NAMES[index]}" "${RESULTS[index]}" "${TIMES[index]}"
    case ${RESULTS[index]} in
      FAILED*) failed=$((failed + 1)) ;;
      SKIPPED) steps=$((steps + 1)) ;;
    esac
  done
  printf '%s\n' "$LINE"
  if [ "$all" = 0 ]; then
    printf 'No step is named like: %s\n' "${WANTED[*]}"
    return 1
  fi
  if [ "$parts" -gt 0 ]; then cat "$SKIPPED_LIST"; fi
  passed=$((all - failed - steps))
  printf 'steps: %s passed, %s failed, %s skipped\n' "$passed" "$failed" "$steps"
  printf '%s of them after %s s.' "$all" "$SECONDS"
  if [ ${#WANTED[@]} -gt 0 ]; then printf ' The others were not run.'; fi
  if [ "$parts" -gt 0 ]; then printf ' What proved nothing: %s, see SKIPPED above.' "$parts"; fi
  printf '\n'
  [ "$failed" = 0 ] || return 1
  if [ "$parts" -gt 0 ] && [ "${REQUIRE:-}" = all ]; then
    printf 'REQUIRE=all: what was skipped counts as failed.\n'
    return 1
  fi
}
