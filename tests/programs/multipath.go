// SPDX-License-Identifier: GPL-2.0-only
// An HTTP server whose listener is a socket of Multipath TCP, as Go 1.24 makes it by itself.
// It answers how many requests it had for the path, and the hash of their body.
// usage: multipath PORT
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
)

func listen(port int) (net.Listener, error) {
	const multipath = 262
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, multipath)
	if err != nil {
		return nil, err
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return nil, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, err
	}
	if err := syscall.Listen(fd, 128); err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	return net.FileListener(file)
}

func main() {
	var lock sync.Mutex
	counts := map[string]int{}

	port, _ := strconv.Atoi(os.Args[1])
	listener, err := listen(port)
	if err != nil {
		panic(err)
	}
	panic(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		lock.Lock()
		counts[r.URL.Path]++
		n := counts[r.URL.Path]
		lock.Unlock()
		fmt.Fprintf(w, "%d %x", n, sha256.Sum256(body))
	})))
}
