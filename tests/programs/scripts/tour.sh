#!/bin/sh
# Fifty lines of shell for busybox: functions, arithmetic, quoting, pipes, here-documents, case, loops, traps, jobs.
set -eu
trap 'echo "leaving with $?"' EXIT

factorial() {
    local n=$1
    if [ "$n" -le 1 ]; then echo 1; else echo $((n * $(factorial $((n - 1))))); fi
}
classify() {
    case $1 in
        *.txt) echo text ;;
        *.[ch]) echo source ;;
        ''|*/*) echo strange ;;
        *) echo other ;;
    esac
}

echo "arguments: $# first=$1 all=$*"
echo "factorial of 10 is $(factorial 10)"
for name in a.txt b.c c.h d 'e f.txt' x/y; do printf '%s:%s ' "$name" "$(classify "$name")"; done
echo

i=0 total=0
while [ $i -lt 200 ]; do
    i=$((i + 1))
    [ $((i % 3)) -eq 0 ] && continue
    total=$((total + i * i))
done
echo "total $total, hex $(printf '%x' $total), shifts $((1 << 20 | 0xff)) $((-17 / 5)) $((-17 % 5))"

text='the quick brown fox'
set -- $text
echo "$# words; last letter ${text##*o}, no first word ${text#* }, length ${#text}, ${nothing:-default}"

cat > words.txt <<END
pear 3
apple 12
fig 7
cherry 12
$(echo inserted) 1
END
sort -k2,2n -k1,1 words.txt | awk '{ sum += $2; print NR ": " $1 } END { print "sum", sum }'
sed -n 's/^\([a-z]*\) \([0-9]*\)$/\2 \1/p' words.txt | grep -v '^1 ' | tr 'a-z' 'A-Z' | cut -d' ' -f2 | paste -sd,
wc words.txt | tr -s ' '
(cd / && pwd) && pwd | grep -c / && { false || echo "false was caught"; }
seq 1 5 | while read -r n; do echo "line $n"; done | tail -2
sleep 0.05 &
wait $! && echo "the job is done"
mkdir -p deep/er && touch deep/er/file && find deep | sort && rm -r deep
head -c 20000 /dev/zero | tr '\0' 'x' | md5sum
echo "$(echo "nested $(echo "quotes 'and' \"more\"")")"
eval 'variable=evaluated'; echo $variable
exit 3
