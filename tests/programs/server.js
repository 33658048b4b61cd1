// SPDX-License-Identifier: GPL-2.0-only
// Runs inside a room: an HTTP server of node with timers, a worker, a subprocess and libuv's threads. usage: server.js PORT
const crypto = require('crypto'), fs = require('fs'), { spawn } = require('child_process'), { Worker } = require('worker_threads');
const counts = {};
let asked = 0, echoed = 0;

const worker = new Worker("require('worker_threads').parentPort.on('message', (m) => { " +
	"require('worker_threads').parentPort.postMessage(m * 2); })", { eval: true });
const check = (right) => { if (!right) { console.error('wrong'); process.exit(1); } };
worker.on('message', (m) => { check(m === asked * 2); worker.postMessage(++asked); });
worker.postMessage(++asked);
const cat = spawn('cat');
cat.stdout.on('data', (d) => { echoed += d.length; });
setInterval(() => { cat.stdin.write('x'); check(cat.exitCode === null); }, 10);

require('http').createServer((request, response) => {
	const hash = crypto.createHash('sha256');
	request.on('data', (d) => hash.update(d));
	request.on('end', () => {
		const n = counts[request.url] = (counts[request.url] || 0) + 1;
		crypto.pbkdf2('a', 'b', 10, 20, 'sha1', () => fs.readFile(__filename, () => response.end(`${n} ${hash.digest('hex')}`)));
	});
}).listen(Number(process.argv[2]), '0.0.0.0');
