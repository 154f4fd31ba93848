# A server of two processes on a socket: files, compression, ranges, a reload, the end.
# needs: nginx curl
mkdir html
seq 5000 > html/numbers.txt
cat > conf <<END
worker_processes 2; daemon off; pid $PWD/pid; error_log $PWD/errors;
events { worker_connections 64; }
http {
  access_log $PWD/accesses; sendfile on; gzip on; gzip_types text/plain; types { text/plain txt; }
  client_body_temp_path $PWD/1; proxy_temp_path $PWD/2; fastcgi_temp_path $PWD/3; uwsgi_temp_path $PWD/4;
  scgi_temp_path $PWD/5;
  server { listen unix:$PWD/socket; root $PWD/html; }
}
END
nginx -p "$PWD" -e errors -c "$PWD/conf" -g "$(test "$(id -u)" = 0 && echo 'user root;')" &
server=$!
get() { curl -s --unix-socket "$PWD/socket" "$@"; }
until get -o /dev/null http://here/; do sleep 0.1; done
get http://here/numbers.txt | md5sum
get --compressed http://here/numbers.txt | md5sum
get -r 100-120 http://here/numbers.txt
get -o /dev/null -w '%{http_code}\n' http://here/absent
get -Z -o /dev/null -o /dev/null -o /dev/null -w '%{size_download}\n' 'http://here/numbers.txt?[1-3]'
kill -HUP $server
sleep 1
get http://here/numbers.txt | tail -1
kill -QUIT $server
wait $server
echo "ended with $?, $(wc -l < accesses) lines, $(grep -c -v notice errors) errors"
