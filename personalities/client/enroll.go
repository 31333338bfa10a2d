package client

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/enrollment"
)

type enrollCommands struct {
	List    enrollList    `cmd:"" help:"List enrollments and their states."`
	Show    enrollShow    `cmd:"" help:"Show everything about one enrollment."`
	Approve enrollApprove `cmd:"" help:"Let pending peels in."`
	Reject  enrollReject  `cmd:"" help:"Turn pending peels away."`
	Remove  enrollRemove  `cmd:"" help:"Forget enrollments, so that their ids can be enrolled anew."`
}

func (s *session) orders() (*enrollment.Orders, error) {
	conn, err := s.connect()
	if err != nil {
		return nil, err
	}
	return &enrollment.Orders{Conn: conn, Operator: s.operator}, nil
}

type enrollList struct {
	Peels string `arg:"" optional:"" help:"Which peels: ids, globs, E@ or L@; default all."`
}

func (c *enrollList) Run(s *session) error {
	o, err := s.orders()
	if err != nil {
		return err
	}
	records, err := o.List(s.ctx, c.Peels)
	if err != nil {
		return err
	}
	data := make([]any, len(records))
	for i, r := range records {
		data[i] = recordData(r)
	}
	return s.print.answer(data, func() {
		if len(records) == 0 {
			fmt.Fprintln(s.stdio.Out, "no enrollments")
			return
		}
		t := tabwriter.NewWriter(s.stdio.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "PEEL\tSTATE\tREQUESTED\tADDRESS\tFINGERPRINT")
		for _, r := range records {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.State, stamp(r.Requested), printable(r.Address), r.Fingerprint())
		}
		t.Flush()
	})
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

func recordData(r enrollment.Record) map[string]any {
	data := map[string]any{
		"id": r.ID, "state": string(r.State), "address": r.Address, "public": r.Public, "fingerprint": r.Fingerprint(),
		"decided_by": r.DecidedBy, "facts": r.Facts,
	}
	for name, t := range map[string]time.Time{
		"requested": r.Requested, "decided": r.Decided, "issued": r.IssuedAt, "expires": r.Expires, "active": r.ActiveAt,
	} {
		if !t.IsZero() {
			data[name] = t.Format(time.RFC3339)
		}
	}
	return data
}

type enrollShow struct {
	Peel string `arg:"" help:"Peel id."`
}

func (c *enrollShow) Run(s *session) error {
	o, err := s.orders()
	if err != nil {
		return err
	}
	r, err := o.Show(s.ctx, c.Peel)
	if err != nil {
		return err
	}
	return s.print.answer(recordData(r), func() {
		t := tabwriter.NewWriter(s.stdio.Out, 0, 0, 2, ' ', 0)
		row := func(name, value string) {
			if value != "" {
				fmt.Fprintf(t, "%s:\t%s\n", name, printable(value))
			}
		}
		row("peel", r.ID)
		row("state", string(r.State))
		row("fingerprint", r.Fingerprint())
		row("public key", r.Public)
		row("address", r.Address)
		row("requested", stamp(r.Requested))
		row("decided", strings.TrimSpace(stamp(r.Decided)+" by "+r.DecidedBy))
		row("issued", stamp(r.IssuedAt))
		row("valid until", stamp(r.Expires))
		row("active since", stamp(r.ActiveAt))
		for _, name := range sortedKeys(r.Facts) {
			row(name, r.Facts[name])
		}
		t.Flush()
	})
}

type enrollApprove struct {
	Peels []string `arg:"" optional:"" help:"Ids, globs, E@ or L@."`
	All   bool     `help:"All that are pending."`
}

// Help is printed by --help.
func (*enrollApprove) Help() string {
	return `Compare the fingerprint of "zester enroll list" with the one in the peel's log first.

	zester enroll approve web-01 'db-*'
	zester enroll approve --all`
}

func (c *enrollApprove) Run(s *session) error {
	o, err := s.orders()
	if err != nil {
		return err
	}
	outcomes, err := o.Approve(s.ctx, c.Peels, c.All)
	return s.outcomes("approved", outcomes, err)
}

type enrollReject struct {
	Peels []string `arg:"" optional:"" help:"Ids, globs, E@ or L@."`
	All   bool     `help:"All that are pending."`
}

func (c *enrollReject) Run(s *session) error {
	o, err := s.orders()
	if err != nil {
		return err
	}
	outcomes, err := o.Reject(s.ctx, c.Peels, c.All)
	return s.outcomes("rejected", outcomes, err)
}

type enrollRemove struct {
	Peels []string `arg:"" help:"Ids, or patterns of pending and rejected peels."`
}

func (c *enrollRemove) Run(s *session) error {
	o, err := s.orders()
	if err != nil {
		return err
	}
	outcomes, err := o.Remove(s.ctx, c.Peels)
	return s.outcomes("removed", outcomes, err)
}

// outcomes prints what became of each peel; any failure makes the exit code 1.
func (s *session) outcomes(done string, outcomes []enrollment.Outcome, err error) error {
	if err != nil {
		return err
	}
	data := make([]any, len(outcomes))
	for i, o := range outcomes {
		data[i] = map[string]any{"id": o.ID, "state": string(o.State), "note": o.Note, "error": o.Error}
	}
	err = s.print.answer(data, func() {
		if len(outcomes) == 0 {
			fmt.Fprintln(s.stdio.Out, "no peel is waiting")
		}
		for _, o := range outcomes {
			switch {
			case o.Error != "":
				fmt.Fprintf(s.stdio.Err, "zester: %s\n", o.Error)
			case o.Note != "":
				fmt.Fprintf(s.stdio.Out, "%s %s (%s)\n", done, o.ID, o.Note)
			default:
				fmt.Fprintf(s.stdio.Out, "%s %s\n", done, o.ID)
			}
		}
	})
	if err == nil && slices.ContainsFunc(outcomes, func(o enrollment.Outcome) bool { return o.Error != "" }) {
		err = config.Exit(1)
	}
	return err
}
