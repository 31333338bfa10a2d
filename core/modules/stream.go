package modules

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// stream is a pipe from a process to a writer.
type stream struct {
	read, write *os.File
	to          io.Writer
	done        chan error
}

// streams are the pipes of a process: for both of its outputs, or one for them together.
type streams []*stream

func newStreams(stdout, stderr io.Writer, merge bool) (streams, error) {
	var list streams
	for _, to := range []io.Writer{stdout, stderr} {
		read, write, err := os.Pipe()
		if err != nil {
			list.begin()
			return nil, errors.Join(err, list.end(0))
		}
		list = append(list, &stream{read, write, to, make(chan error, 1)})
		if merge {
			break
		}
	}
	return list, nil
}

// begin reads what the process, which has its ends by now, writes.
func (list streams) begin() {
	for _, s := range list {
		s.write.Close()
		go func() { s.done <- s.copy() }()
	}
}

// end waits until all that was written is read. Processes that have outlived the one they are of are given the delay to end or
// to let go of its outputs; what is in a pipe by then counts, however late this process comes to read it.
func (list streams) end(delay time.Duration) error {
	late := time.AfterFunc(delay, func() {
		for _, s := range list {
			_ = s.read.SetReadDeadline(time.Unix(1, 0))
		}
	})
	defer late.Stop()
	var failure error
	for _, s := range list {
		failure = errors.Join(failure, <-s.done)
	}
	for _, s := range list {
		s.read.Close()
	}
	return failure
}

// leave gives the pipes to processes that throw away what still comes, for one that writes to them to go on when this process
// has ended. Another keeps the turn, which may be nil, until that one has ended too: not those who read what it left behind.
func (list streams) leave(pid int, turn *turn) error {
	for _, s := range list {
		_ = s.read.SetReadDeadline(time.Unix(1, 0))
	}
	reader := exec.Command("/bin/sh", "-c", "")
	lock := 3 + len(list)
	closed := ""
	for i, s := range list {
		failure := <-s.done
		s.done <- failure // for end
		reader.ExtraFiles = append(reader.ExtraFiles, s.read)
		reader.Args[2] += fmt.Sprintf("cat <&%d >/dev/null %d<&- & ", 3+i, lock)
		closed += fmt.Sprintf(" %d<&-", 3+i)
	}
	held := turn != nil && turn.file != nil
	if held {
		reader.ExtraFiles = append(reader.ExtraFiles, turn.file)
	}
	reader.Args[2] += fmt.Sprintf(`exec%s; until test ! -d /proc/%d || grep -q ") Z " /proc/%[2]d/stat; do sleep 0.2; done`, closed, pid)
	reader.Dir, reader.SysProcAttr = "/", &syscall.SysProcAttr{Setsid: true}
	if err := reader.Start(); err != nil {
		return err
	}
	if held {
		turn.left.Store(true)
	}
	go func() { _ = reader.Wait() }()
	return list.end(0)
}

func (s *stream) copy() error {
	_, err := io.Copy(s.to, s.read)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return s.rest()
}

// pipeSize is what a pipe holds unless somebody has made it larger.
const pipeSize = 64 << 10

// rest takes what is in the pipe, and does not wait for more.
func (s *stream) rest() error {
	raw, err := s.read.SyscallConn()
	if err == nil {
		err = s.read.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return err
	}
	data, filled := make([]byte, pipeSize), 0
	for n := 1; n > 0 && filled < len(data); filled += max(n, 0) {
		if err := raw.Read(func(fd uintptr) bool { n, _ = syscall.Read(int(fd), data[filled:]); return true }); err != nil {
			return err
		}
	}
	_, err = s.to.Write(data[:filled])
	return err
}
