# Stacks that grow and move, goroutines on threads of their own, signals that preempt, and the compiler itself.
# needs: go
# long
cat > program.go <<'PROGRAM'
package main

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type shape interface{ area() float64 }
type square struct{ side float64 }
type circle struct{ radius float64 }

func (s square) area() float64 { return s.side * s.side }
func (c circle) area() float64 { return 3 * c.radius * c.radius }

func work(jobs <-chan int, results chan<- string, group *sync.WaitGroup) {
	defer group.Done()
	for n := range jobs {
		results <- fmt.Sprintf("%03d:%x", n, sha256.Sum256([]byte(strings.Repeat("x", n))))
	}
}

func fault() (said string) {
	defer func() { said = fmt.Sprint(recover()) }()
	var nothing *square
	return fmt.Sprint(nothing.side)
}

// A frame of a kilobyte a call: the stack is copied as it grows.
func deep(n int) int {
	var room [128]int
	room[n%128] = n
	if n == 0 {
		return 0
	}
	return room[n%128] - n + 1 + deep(n-1)
}

func serve() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err.Error()
	}
	go func() {
		connection, _ := listener.Accept()
		fmt.Fprintf(connection, "hello")
		connection.Close()
	}()
	connection, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return err.Error()
	}
	answer := make([]byte, 5)
	connection.Read(answer)
	return string(answer)
}

func main() {
	runtime.GOMAXPROCS(4)
	jobs, results := make(chan int), make(chan string, 100)
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go work(jobs, results, &group)
	}
	for n := 0; n < 100; n++ {
		jobs <- n
	}
	close(jobs)
	group.Wait()
	close(results)
	all := []string{}
	for result := range results {
		all = append(all, result)
	}
	sort.Strings(all)
	fmt.Println(len(all), all[0], all[99])
	total := 0.0
	for _, s := range []shape{square{2}, circle{1}} {
		total += s.area()
	}
	fmt.Println(total, fault(), deep(20000))
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-signals)
	// a loop without a call: the collector stops it by a signal
	var stop atomic.Bool
	ended := make(chan int)
	go func() {
		turns := 0
		for !stop.Load() {
			turns = turns*3 + 1
		}
		ended <- turns - turns
	}()
	runtime.GC()
	stop.Store(true)
	fmt.Println(<-ended)
	kept := map[int][]byte{}
	for i := 0; i < 20000; i++ {
		kept[i%100] = make([]byte, 10000)
	}
	debug.FreeOSMemory()
	fmt.Println(len(kept), serve())
	said, err := exec.Command("echo", "from a child").Output()
	fmt.Print(string(said), err, "\n")
	select {
	case <-time.After(20 * time.Millisecond):
		fmt.Println("later")
	}
	os.Exit(7)
}
PROGRAM
export HOME="$PWD" GOCACHE="$PWD/cache" GOTOOLCHAIN=local GO111MODULE=off
go build -o program program.go && ./program
echo "status $?"
