// SPDX-License-Identifier: GPL-2.0-only
// Uses all of go-criu: client CRIU PID DIRECTORY. Writes what happens, one line each, and last the pid of the restored process.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	criu "github.com/checkpoint-restore/go-criu"
	"github.com/checkpoint-restore/go-criu/rpc"
	"github.com/checkpoint-restore/go-criu/stats"
)

type notify struct {
	criu.NoNotify
}

func (notify) PreDump() error    { fmt.Println("pre-dump"); return nil }
func (notify) PostDump() error   { fmt.Println("post-dump"); return nil }
func (notify) PreRestore() error { fmt.Println("pre-restore"); return nil }
func (notify) PostResume() error { fmt.Println("post-resume"); return nil }
func (notify) PostRestore(pid int32) error {
	fmt.Println("post-restore", pid)
	return nil
}

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func text(value string) *string { return &value }
func number(value int32) *int32 { return &value }
func truth(value bool) *bool    { return &value }

func open(directory string) *os.File {
	must(os.MkdirAll(directory, 0o700))
	opened, err := os.Open(directory)
	must(err)
	return opened
}

func options(images *os.File, pid int, log string) *rpc.CriuOpts {
	descriptor := int32(images.Fd())
	opts := &rpc.CriuOpts{ImagesDirFd: &descriptor, LogLevel: number(4), LogFile: text(log), ShellJob: truth(true)}
	if pid != 0 {
		opts.Pid = number(int32(pid))
	}
	return opts
}

func main() {
	pid, err := strconv.Atoi(os.Args[2])
	must(err)
	client := criu.MakeCriu()
	client.SetCriuPath(os.Args[1])
	version, err := client.GetCriuVersion()
	must(err)
	newer, err := client.IsCriuAtLeast(31100)
	must(err)
	features, err := client.FeatureCheck(&rpc.CriuFeatures{MemTrack: truth(true), LazyPages: truth(true)})
	must(err)
	fmt.Println("version", version, newer, "features", features.MemTrack != nil, features.LazyPages != nil)

	must(client.Prepare())
	first := open(filepath.Join(os.Args[3], "first"))
	opts := options(first, pid, "pre-dump.log")
	opts.TrackMem = truth(true)
	must(client.PreDump(opts, notify{}))
	client.Cleanup()
	must(client.Prepare())
	last := open(filepath.Join(os.Args[3], "last"))
	opts = options(last, pid, "dump.log")
	opts.ParentImg = text("../first")
	opts.TrackMem = truth(true)
	must(client.Dump(opts, notify{}))
	client.Cleanup()
	dumped, err := stats.CriuGetDumpStats(last)
	must(err)
	fmt.Println("dumped", dumped.GetPagesWritten() > 0, dumped.GetFrozenTime() > 0)

	fmt.Println("refused", client.Restore(options(open(filepath.Join(os.Args[3], "empty")), 0, "refused.log"), nil) != nil)
	must(client.Prepare())
	must(client.Restore(options(last, 0, "restore.log"), notify{}))
	client.Cleanup()
	restored, err := stats.CriuGetRestoreStats(last)
	must(err)
	fmt.Println("restored", restored.GetPagesRestored() > 0)

	servers, err := os.Open(os.Args[3])
	must(err)
	opts = options(servers, 0, "server.log")
	opts.Ps = &rpc.CriuPageServerInfo{}
	server, port, err := client.StartPageServerChld(opts)
	must(err)
	fmt.Println("server", server > 0, port > 0)
	if process, err := os.FindProcess(server); err == nil {
		_ = process.Kill()
	}
}
