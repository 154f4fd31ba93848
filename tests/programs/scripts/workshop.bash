# What bash has that a plain shell has not, and much of what both have: some three hundred lines, one topic a function.
# It works in the folder it is started in, and ends with status 4.
shopt -s extglob nullglob lastpipe
set -u

declare -i failures=0
section() { printf '\n== %s ==\n' "$1"; }
check() {  # check WHAT GOT WANTED
    if [[ $2 == "$3" ]]; then
        printf 'ok   %s\n' "$1"
    else
        printf 'FAIL %s: %q, wanted %q\n' "$1" "$2" "$3"
        ((failures++))
    fi
}

arrays() {
    section arrays
    local -a list=(one "two words" [5]=six)
    list+=(seven)
    check length "${#list[@]}" 4
    check keys "${!list[*]}" '0 1 5 6'
    check slice "${list[*]:1:2}" 'two words six'
    unset 'list[1]'
    check unset "${list[*]}" 'one six seven'
    local -a sorted
    mapfile -t sorted < <(printf '%s\n' pear apple fig | sort)
    check mapfile "${sorted[*]}" 'apple fig pear'
    local -A colours=([sky]=blue [grass]=green)
    colours[sun]=yellow
    local name
    for name in $(printf '%s\n' "${!colours[@]}" | sort); do
        printf '%s is %s\n' "$name" "${colours[$name]}"
    done
    [[ -v colours[sun] && ! -v colours[moon] ]] && echo 'sun, no moon'
    local -n alias=colours
    alias[moon]=white
    check nameref "${colours[moon]}" white
    local IFS=,
    check joined "${sorted[*]}" 'apple,fig,pear'
}

strings() {
    section strings
    local text='The quick brown fox' path=/usr/share/doc/bash/README.gz
    check upper "${text^^}" 'THE QUICK BROWN FOX'
    check lower "${text,,}" 'the quick brown fox'
    check replace "${text//o/0}" 'The quick br0wn f0x'
    check first "${text/#The/A}" 'A quick brown fox'
    check base "${path##*/}" README.gz
    check stem "${path%.*}" /usr/share/doc/bash/README
    check folder "${path%/*}" /usr/share/doc/bash
    check cut "${text:4:5}" quick
    check last "${text: -3}" fox
    check default "${missing:-none}" none
    check pattern "${text//+([aeiou])/_}" 'Th_ q_ck br_wn f_x'
    check length "${#path}" 29
    printf -v padded '%-8s|%08.3f|%+d|%x|%o|%c' ab 3.14159 42 255 8 z
    check printf "$padded" 'ab      |0003.142|+42|ff|10|z'
    check quoted "$(printf '%q ' 'a b' "c'd" $'e\nf')" "a\\ b c\\'d \$'e\\nf' "
    check transform "${text@Q}" "'The quick brown fox'"
    check escapes $'\x41\t\101' "A	A"
    if [[ 'key = value # comment' =~ ^([a-z]+)\ *=\ *([a-z]+)(\ +#.*)?$ ]]; then
        printf '%s\n' "${BASH_REMATCH[@]:1}"
    fi
}

numbers() {
    section numbers
    local -i a=7 b=3
    check divide $((a / b)),$((a % b)),$((-a / b)),$((-a % b)) 2,1,-2,-1
    check bits $((a & b | 8 ^ 2)),$((1 << 40)),$((~a)) 11,1099511627776,-8
    check bases $((16#ff + 8#17 + 2#101 + 0x10)) 291
    check power $((3 ** 20)) 3486784401
    check wrap $((9223372036854775807 + 1)) -9223372036854775808
    check comma $((a += 2, b = a * 2, b)) 18
    local -i n=27 steps=0
    while ((n != 1)); do
        ((n = n % 2 ? 3 * n + 1 : n / 2, ++steps))
    done
    check collatz $steps 111
    local sieve=() i j primes=()
    for ((i = 2; i < 400; i++)); do
        [[ -z ${sieve[i]-} ]] || continue
        primes+=("$i")
        for ((j = i * i; j < 400; j += i)); do
            sieve[j]=x
        done
    done
    check primes "${#primes[@]} ${primes[-1]}" '78 397'
    fib() { (($1 < 2)) && REPLY=$1 || { fib $(($1 - 1)); local x=$REPLY; fib $(($1 - 2)); REPLY=$((x + REPLY)); }; }
    fib 14
    check fibonacci "$REPLY" 377
}

files() {
    section files
    mkdir -p tree/{a,b}/{1..3}
    touch tree/a/1/file.{c,h} tree/b/2/file.c 'tree/b/3/with space.c'
    shopt -s globstar
    printf '%s\n' tree/**/*.c
    shopt -u globstar
    check count "$(find tree -type f | wc -l)" 4
    check none "$(echo tree/*.none)" ''
    check negated "$(cd tree/a/1 && echo !(*.h))" file.c
    printf 'line %d\n' {1..20} > lines
    check head "$(head -n 2 lines | tr '\n' /)" 'line 1/line 2/'
    sed -n '3{s/line/LINE/p}; $p' lines
    awk '{ s += $2 } END { print NR, s }' lines
    local word number
    while read -r word number; do
        ((number % 7 == 0)) && echo "$word:$number"
    done < lines
    exec 7<> both
    echo written >&7
    exec 7>&-
    cat both
    [[ -s both && -r both && ! -x both && -d tree && both -nt /proc/version || -f both ]] && echo tests
    ln -s both link
    [[ -L link && link -ef both ]] && readlink link
    umask 027
    : > secret
    stat -c %a secret
    cmp lines both > differ || echo "differ: $?"
    tar cf - tree | tar tf - | sort | tail -n 2
    set -o noclobber
    { echo again > lines; } 2> /dev/null || echo 'not overwritten'
    set +o noclobber
    rm -r tree link both secret
}

pipes() {
    section pipes
    seq 100 | grep 7 | wc -l
    seq 3 | while read -r n; do last=$n; done
    check lastpipe "$last" 3
    false | true | (exit 3) | true
    check pipestatus "${PIPESTATUS[*]}" '1 0 3 0'
    (set -o pipefail; exit 5 | cat; echo "pipefail $?")
    diff <(seq 3) <(printf '1\n2\n4\n') | sed 's/^/diff: /'
    tee >(tr a-z A-Z > upper) <<< 'here string' > lower
    until [[ -s upper ]]; do sleep 0.01; done
    cat lower upper
    cat <<- END | sort -r
		indented $((6 * 7))
		$(echo nested "$(echo "deep")")
		END
    cat <<'END'
not $expanded `at all`
END
    coproc UPPER { while read -r line; do echo "${line^^}"; done; }
    echo 'to the coprocess' >&"${UPPER[1]}"
    read -r reply <&"${UPPER[0]}"
    check coproc "$reply" 'TO THE COPROCESS'
    local id=$UPPER_PID input=${UPPER[1]}
    exec {input}>&-
    wait "$id"
    check ended $? 0
    { echo out; echo err >&2; } 2>&1 > /dev/null | sed 's/^/only /'
    { echo out; echo err >&2; } &> all
    sort all
    yes | head -n 20000 | md5sum
}

processes() {
    section processes
    sleep 100 &
    local sleeper=$!
    kill -TERM "$sleeper"
    wait "$sleeper"
    check killed $? 143
    local -a ids=()
    local -i i total=0
    for i in 3 1 2; do
        (sleep 0.0$i; exit "$i") &
        ids+=($!)
    done
    for i in "${ids[@]}"; do
        wait "$i" || ((total += $?))
    done
    check statuses $total 6
    (exit 9) & wait -n
    check any $? 9
    check subshell "$(x=1; (x=2; echo $x); echo $x)" $'2\n1'
    (trap 'echo "exit $?"' EXIT; exit 6)
    (trap 'echo hangup' HUP; kill -HUP $BASHPID; echo after)
    (trap 'echo "debug: $BASH_COMMAND"' DEBUG; true) | head -n 1
    (trap 'echo "error at $LINENO"' ERR; false; true) | sed 's/[0-9]*$/a line/'
    check command "$(command -v cd) $(type -t check) $(type -t if)" 'cd function keyword'
    env -i A=1 /bin/bash -c 'echo "$A ${HOME-no home} $0 $#"' name x y
    { /bin/sh -c 'kill -KILL $$'; } 2> /dev/null
    check fatal $? 137
    (ulimit -n 64; ulimit -n)
    timeout 0.05 sleep 10
    check timeout $? 124
    time_taken=$( { TIMEFORMAT=%U; time true; } 2>&1)
    [[ $time_taken =~ ^[0-9.]+$ ]] && echo timed
    exec {copy}>&1
    echo 'by a descriptor' >&"$copy"
    exec {copy}>&-
}

options() {
    section options
    parse() {
        local OPTIND=1 option verbose=no file=
        while getopts ':vf:' option "$@"; do
            case $option in
                v) verbose=yes ;;
                f) file=$OPTARG ;;
                :) echo "-$OPTARG takes a value"; return 2 ;;
                \?) echo "no -$OPTARG"; return 1 ;;
            esac
        done
        shift $((OPTIND - 1))
        echo "$verbose ${file:-none} $#: $*"
    }
    parse -v -f name rest of it
    parse -vfname
    parse -x || echo "status $?"
    parse -f || echo "status $?"
    set -- a 'b c' d
    check quoting "$(printf '<%s>' "$@")" '<a><b c><d>'
    check star "$(printf '<%s>' $*)" '<a><b><c><d>'
    shift 2
    check shifted "$1 $#" 'd 1'
    case abc.tar.gz in
        *.zip) echo zip ;;
        *.tar.@(gz|xz)) echo tar ;;&
        a*) echo a ;&
        z*) echo through ;;
        *) echo never ;;
    esac
    select choice in red green; do
        echo "chosen: ${choice:-nothing}"
        [[ -n $choice ]] && break
    done <<< $'7\n2' 2> menu
    cat menu
    local -r fixed=1
    (fixed=2) 2> /dev/null || echo 'is read-only'
    (: "${unknown:?is not set}") 2>&1 | sed 's/.*unknown/unknown/'
    /bin/bash -ec 'false; echo never' || echo 'set -e'
    eval 'for w in e v a l; do printf %s "$w"; done; echo'
    local f='() { echo "made $1"; }'
    eval "generated $f"
    generated here
    unset -f generated
    declare -F generated > /dev/null || echo 'gone again'
    caller_of() { echo "${FUNCNAME[0]} from ${FUNCNAME[1]}"; }
    caller_of
}

report() {
    section report
    declare -A sales
    local who what amount
    while IFS=: read -r who what amount; do
        sales[$who.$what]=$((${sales[$who.$what]:-0} + amount))
        sales[$who]=$((${sales[$who]:-0} + amount))
    done << 'END'
ann:tea:12
bob:tea:7
ann:milk:5
bob:bread:9
ann:tea:4
END
    for who in ann bob; do
        printf '%-5s %4d\n' "$who" "${sales[$who]}"
        for what in tea milk bread; do
            [[ -n ${sales[$who.$what]-} ]] && printf '  %-6s %3d\n' "$what" "${sales[$who.$what]}"
        done
    done
    local -i row column
    for ((row = 1; row <= 4; row++)); do
        for ((column = 1; column <= 4; column++)); do
            printf '%4d' $((row ** column))
        done
        echo
    done
    declare -p sales | tr ' ' '\n' | grep -c '='
}

arrays
strings
numbers
files
pipes
processes
options
report
trap 'echo "the end: $failures failures"' EXIT
((failures == 0)) && exit 4
exit 1
