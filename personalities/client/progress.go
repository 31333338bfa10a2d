package client

import (
	"fmt"
	"io"

	"golang.org/x/term"

	"github.com/ptorbus/zester/core/config"
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

// newProgress shows nothing where another program reads the returns: it may be one that has the same terminal, as a
// pager has.
func newProgress(stdio config.Stdio, p *printer) *progress {
	if !isTerminal(stdio.Err) || isPipe(stdio.Out) || p.format != "text" {
		return &progress{}
	}
	return &progress{out: stdio.Err}
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
	if p.out == nil || p.all <= few || p.returned >= p.all {
		return
	}
	text := fmt.Sprintf("%d of %d returned", p.returned, p.all)
	if width, _, err := term.GetSize(int(file(p.out).Fd())); err == nil && width > 0 && len(text) >= width {
		return // a line that is broken cannot be taken away
	}
	fmt.Fprint(p.out, text)
	p.shown = true
}
