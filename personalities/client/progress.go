package client

import (
	"fmt"
	"io"

	"github.com/ptorbus/zester/core/jobs"
)

// few is up to how many peels are waited for without a progress line.
const few = 5

// progress is a line on a terminal that says how far a job of many peels has come.
type progress struct {
	out      io.Writer // nil: none is shown
	all      int
	returned int
	shown    bool
}

func newProgress(out io.Writer, p *printer) *progress {
	if !isTerminal(out) || p.format != "text" {
		out = nil
	}
	return &progress{out: out}
}

// clear takes the line away, so that something else can be printed.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

func (p *progress) event(e jobs.Event) {
	switch e := e.(type) {
	case jobs.Addressed:
		p.all = len(e.Targets)
	case jobs.Return:
		p.returned++
	}
	if p.out != nil && p.all > few && p.returned < p.all {
		fmt.Fprintf(p.out, "%d of %d returned", p.returned, p.all)
		p.shown = true
	}
}
