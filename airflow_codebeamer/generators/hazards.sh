#!/bin/sh
# Hazards from a catalogue of lines `key;parent;name;text`: a generator without
# Python. Needs a shell and awk; run it with `messages: stdout`, and give the path
# of the catalogue as its argument. Lines that begin with # say nothing.
set -eu

catalogue=${1:?give the path of the catalogue}
[ -r "$catalogue" ] || { echo "cannot read $catalogue" >&2; exit 65; }
echo '{"cbgen": "1", "method": "document", "params": {"identity": {"prefix": "hazard:"}}}'

awk -F';' '
function text(s) {
    gsub(/\\/, "\\\\\\\\", s); gsub(/"/, "\\\"", s)
    gsub(/\t/, "\\t", s); gsub(/\r/, "", s)
    return "\"" s "\""
}
function say(method, params) {
    printf "{\"cbgen\": \"1\", \"method\": \"%s\", \"params\": {%s}}\n", method, params
}
/^#/ || /^[ \t]*$/ { next }
NF < 3 {
    printf "line %d of the catalogue: expected key;parent;name;text\n", NR > "/dev/stderr"
    failed = 65
    exit failed
}
{
    item = "\"key\": " text($1) ", \"name\": " text($3)
    if ($2 != "") item = item ", \"parent\": " text($2)
    if ($4 != "") item = item ", \"description\": " text($4)
    else item = item ", \"type\": \"Folder\""
    say("item", item)
    count++
    if (count % 100 == 0) say("progress", "\"done\": " count ", \"phase\": \"hazards\"")
}
END {
    if (failed) exit failed
    say("result", "\"counts\": {\"items\": " count + 0 "}")
}' "$catalogue"
