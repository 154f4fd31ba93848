# V8 and its threads, children, a server, WebAssembly.
# needs: node
# long
cat > program.js <<'END'
const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2)
console.log(fib(25), [3, 1, 2].sort(), 2n ** 200n)
const { createHash } = require('crypto'), { execSync } = require('child_process'), http = require('http')
console.log(createHash('sha256').update('abc').digest('hex'), execSync('echo from a child').toString())
const { Worker } = require('worker_threads')
const worker = new Worker('require("worker_threads").parentPort.postMessage([1, 2].map(x => x * x))', { eval: true })
worker.on('message', value => console.log('worker', value))
worker.on('exit', () => {
  const server = http.createServer((request, answer) => answer.end('hello ' + request.url)).listen(0, () =>
    http.get({ port: server.address().port, path: '/abc' }, answer => {
      answer.on('data', data => console.log(data.toString()))
      answer.on('end', () => server.close())
    }))
})
const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0,
  10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]
console.log(new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes))).exports.add(2, 3))
END
node program.js
