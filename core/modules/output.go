package modules

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	// maxOutput bounds what is kept of a command's outputs together, and what file.read returns: a job's value may have
	// 64 MiB when it is encoded, and the rest of a return is small.
	maxOutput = 63 << 20
	// maxOneOutput leaves room for the other one: an error message is not lost behind a flood.
	maxOneOutput = maxOutput - 1<<20
)

// output of a command that was started.
type output struct {
	pid, code      int
	stdout, stderr string
	timedOut       bool
	// dropped is how much of stdout and stderr is not in them; full is why the disk did not take it, empty if it would have
	// been too much.
	dropped [2]int64
	full    string
}

// take gives what was printed its texts: without trailing white space unless it is to be raw, as Salt returns them, and as
// valid UTF-8, which may be longer.
func (out *output) take(stdout, stderr string, raw bool) {
	var r room
	for i, to := range [2]*string{&out.stdout, &out.stderr} {
		text := strings.ToValidUTF8([2]string{stdout, stderr}[i], "�")
		if !raw {
			text = strings.TrimRight(text, " \t\r\n\v\f")
		}
		n := r.take(i, len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		out.dropped[i] += int64(len(text) - n)
		*to = text[:n]
	}
}

// cut is the error of output that is not whole, with what of it is dropped; nil where it is.
func (out *output) cut(line string, dropped int64) error {
	if dropped == 0 {
		return nil
	}
	why := out.full
	if why == "" {
		why = fmt.Sprintf("at most %d can be returned; have it write to a file instead", maxOneOutput)
	}
	return fmt.Errorf("the last %s of what command %q printed are lost: %s", count(int(dropped), "byte"), line, why)
}

// marked says at the end of each text that it is not all, for reports of states, which succeed all the same.
func (out output) marked() output {
	for i, text := range [2]*string{&out.stdout, &out.stderr} {
		if n := out.dropped[i]; n > 0 {
			*text += fmt.Sprintf("\n[%d more bytes of output were dropped]", n)
		}
	}
	return out
}

// room is what the outputs of a command may take together.
type room struct {
	mu   sync.Mutex
	kept [2]int
}

// take says how many of so many bytes an output may keep.
func (r *room) take(i, n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, maxOutput-max(r.kept[1-i], maxOutput-maxOneOutput)-r.kept[i])
	r.kept[i] += n
	return n
}

// capped keeps of what is written to it what there is room for. What its writer does not take is dropped: the command is not
// to fail for it.
type capped struct {
	to      io.Writer
	room    *room
	which   int // 0 for stdout, 1 for stderr
	dropped int64
	failure error
}

func (c *capped) Write(p []byte) (int, error) {
	keep := c.room.take(c.which, len(p))
	if c.failure != nil { // what comes after a gap would pass for what comes next
		keep = 0
	}
	n, err := c.to.Write(p[:keep])
	if c.failure == nil {
		c.failure = err
	}
	c.dropped += int64(len(p) - n)
	return len(p), nil
}

// newCapped is for both outputs of a command.
func newCapped(stdout, stderr io.Writer) [2]capped {
	r := &room{}
	return [2]capped{{to: stdout, room: r}, {to: stderr, room: r, which: 1}}
}

// readText reads a file of which no more than limit is expected, without a second copy of it. more says that it has more.
func readText(file *os.File, limit int64) (text string, more bool, err error) {
	info, err := file.Stat()
	if err != nil {
		return "", false, err
	}
	var b strings.Builder
	b.Grow(int(min(info.Size(), limit)))
	if _, err = io.CopyN(onlyWriter{&b}, file, limit); errors.Is(err, io.EOF) {
		return b.String(), false, nil
	}
	if err != nil {
		return "", false, err
	}
	n, err := file.Read(make([]byte, 1))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b.String(), n > 0, err
}

// onlyWriter hides what else a writer can: a copy goes by pieces of 32 KiB.
type onlyWriter struct{ io.Writer }
