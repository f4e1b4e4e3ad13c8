# shellcheck shell=bash
# What is told, as lines or as JSON, and how a command ends.

readonly exit_codes='exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 another run has the lock, 5 nothing to do'

# As a string of JSON.
json() {
  local text=$1 out='' i char
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  text=${text//$'\t'/\\t}
  text=${text//$'\r'/\\r}
  if [[ $text == *[$'\x01'-$'\x1f']* ]]; then
    for ((i = 0; i < ${#text}; i++)); do
      char=${text:i:1}
      [[ $char != [$'\x01'-$'\x1f'] ]] || char=' '
      out+=$char
    done
    text=$out
  fi
  printf '"%s"' "$text"
}

# One thing that happened: tell RESULT TEXT [REASON…]. RESULT is done, would, refused or nothing.
tell() {
  local result=$1 text=$2 reasons='' reason
  shift 2
  case $result in
    done | would) did=yes ;;
    refused) refused=yes ;;
  esac
  if [ "$as_json" = yes ]; then
    for reason in "$@"; do
      reasons+=${reasons:+, }$(json "$reason")
    done
    printf '{"command": %s, "partition": %s, "result": "%s", "text": %s, "reasons": [%s]}\n' \
      "$(json "$command")" "$(json "${partition:-}")" "$result" "$(json "$text")" "$reasons"
    return
  fi
  if [ "$result" = refused ]; then
    printf '%s: refused: %s\n' "${partition:-$command}" "$text" >&2
    printf '  %s\n' "$@" >&2
  else
    printf '%s: %s\n' "${partition:-$command}" "$text"
  fi
}

end_with() {
  local code=$1 text=$2
  if [ "$as_json" = yes ]; then
    printf '{"command": %s, "partition": %s, "result": "failed", "text": %s, "reasons": []}\n' \
      "$(json "$command")" "$(json "${partition:-}")" "$(json "$text")"
  else
    printf '%s: %s\n' "$command" "$text" >&2
  fi
  exit "$code"
}

fail() {
  end_with 1 "$*"
}

misused() {
  end_with 2 "$*; --help says more"
}

# The code of a command that has come to its end.
finish() {
  if [ -n "$refused" ]; then
    exit 3
  elif [ -z "$did" ]; then
    exit 5
  fi
}
