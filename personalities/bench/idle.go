package bench

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/config"
	"github.com/ptorbus/zester/core/enrollment"
	"github.com/ptorbus/zester/core/facts"
	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
)

// Goals: resident memory of a master with 1,000 peels and of a real peel's process, MiB.
const (
	masterGoal = 80
	peelGoal   = 25
)

type idleCommand struct {
	Peels int           `default:"1000" help:"How many peels."`
	For   time.Duration `default:"1m" help:"How long to watch the fleet do nothing."`
}

func (c *idleCommand) Validate() error {
	if c.Peels < 1 || c.Peels > maxPeels {
		return fmt.Errorf("--peels %d: want 1 to %d", c.Peels, maxPeels)
	}
	if c.For <= 0 {
		return fmt.Errorf("--for %s: want more than 0", c.For)
	}
	return nil
}

// Run has a master and one peel run as processes of their own, and the other peels in this one, all enrolled and with facts;
// asks all of them something; and then watches what they do when there is nothing to do.
func (c *idleCommand) Run(s *session) error {
	if err := raiseFiles(c.Peels); err != nil {
		return err
	}
	sw := &swarm{log: s.log}
	defer sw.stop()
	if err := sw.startReal(s, c.Peels); err != nil {
		return err
	}
	before, err := sw.quiet(s.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.stdio.Out, "%d peels, one of them and the master real processes, watched for %s\n", c.Peels, c.For)
	cpu := map[string]time.Duration{}
	for _, p := range sw.processes {
		cpu[p.name] = p.processor()
	}
	select {
	case <-time.After(c.For):
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	after, err := sw.sequences(s.ctx)
	if err != nil {
		return err
	}
	written := uint64(0)
	for _, stream := range slices.Sorted(maps.Keys(after)) {
		if n := after[stream] - before[stream]; n > 0 {
			fmt.Fprintf(s.stdio.Out, "%d messages were written to the stream %s\n", n, stream)
			written += n
		}
	}
	fmt.Fprintf(s.stdio.Out, "%d messages written to %d streams\n\n", written, len(after))
	w := tabwriter.NewWriter(s.stdio.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tresident\tgoal\tCPU\t")
	for _, p := range sw.processes {
		rss, err := p.resident()
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%.1f MiB\t%d MiB\t%.2f %%\t\n", p.name, rss, p.goal, 100*float64(p.processor()-cpu[p.name])/float64(c.For))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if written > 0 {
		return fmt.Errorf("an idle fleet has written %d messages to JetStream", written)
	}
	return nil
}

// startReal starts a master's process, n-1 peels in this one and one as a process.
func (s *swarm) startReal(session *session, n int) error {
	ctx := session.ctx
	if err := s.serve(); err != nil {
		return err
	}
	auth := filepath.Join(s.dir, "auth")
	err := s.hierarchy.Write(auth, keys.BootstrapOptions{ResolverDir: filepath.Join(s.dir, "resolver"), EnrollHosts: []string{"127.0.0.1"}, NATSHosts: []string{"127.0.0.1"}})
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(auth, "nats-ca.crt")); err != nil { // whose presence asks for TLS
		return err
	}
	if err := s.connectCore(ctx); err != nil {
		return err
	}
	if err := s.core.Setup(ctx, 1); err != nil { // as the master does: the server does not like both at once
		return err
	}
	if err := s.startMaster(session, auth); err != nil {
		return err
	}
	if err := s.connectPeels(ctx, n, n-1); err != nil {
		return err
	}
	if err := s.enroll(ctx); err != nil {
		return err
	}
	stop, err := s.runPeels(ctx, nil, -1)
	if err != nil {
		return err
	}
	s.stops = append(s.stops, stop)
	if err := s.startPeel(session, fmt.Sprintf("peel-%05d", n-1)); err != nil {
		return err
	}
	returned := 0
	err = wait(ctx, 100*time.Millisecond, "all peels have returned", func() bool {
		job, err := s.client.Submit(ctx, jobs.Request{Target: "*", Function: "test.ping", Timeout: 10 * time.Second})
		if err == nil {
			sum := job.Wait(nil)
			returned = sum.Returned
		}
		return returned == n || slices.ContainsFunc(s.processes, child.ended)
	})
	if returned == n {
		return nil
	}
	return fmt.Errorf("%d of %d peels have returned, or the master or the peel has ended: %w", returned, n, err)
}

// enroll puts what enrolling leaves on the bus there, and facts as large as this host's.
func (s *swarm) enroll(ctx context.Context) error {
	store := enrollment.NewStore(s.core, nil)
	own, _ := facts.Collect(ctx, facts.Options{}) // what cannot be collected is left out
	for i, id := range s.ids {
		if err := s.enrollOne(ctx, store, id, s.identities[i]); err != nil {
			return err
		}
		if i == len(s.conns) { // which publishes its own
			break
		}
		own["id"] = id
		data, err := bus.Marshal(own)
		if err != nil {
			return err
		}
		if _, err := s.conns[i].Put(ctx, bus.BucketFacts, bus.Token(id), data); err != nil {
			return err
		}
	}
	return nil
}

func (s *swarm) enrollOne(ctx context.Context, store *enrollment.Store, id string, identity *keys.Identity) error {
	_, _, err := store.Submit(ctx, enrollment.Record{ID: id, Public: identity.Public(), Curve: identity.Curve()})
	if err == nil {
		_, err = store.Approve(ctx, id, operator)
	}
	if err == nil {
		_, err = store.MarkIssued(ctx, id, identity.Public(), time.Now().Add(peelLife))
	}
	if err == nil {
		_, err = store.MarkActive(ctx, id, identity.Public())
	}
	return err
}

// startMaster starts a master's process; it has set up the bus when this returns.
func (s *swarm) startMaster(session *session, auth string) error {
	port, release, err := server.FreePort()
	if err != nil {
		return err
	}
	s.stops = append(s.stops, release)
	for _, file := range []string{"states/top.zy", "states/idle.zy", "settings/top.zy", "settings/idle.zy"} { // a master that publishes holds leases
		text := "base: {'*': [idle]}\n"
		if filepath.Base(file) == "idle.zy" {
			text = "{}\n"
		}
		path := filepath.Join(s.dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := config.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return s.startProcess(session, "master", masterGoal, map[string]any{
		"nats_url": s.nats.URL(), "auth_dir": auth, "enroll_addr": fmt.Sprintf("127.0.0.1:%d", port),
		"enroll_tls_cert": filepath.Join(auth, "enroll.crt"), "enroll_tls_key": filepath.Join(auth, "enroll.key"),
		"states_dir": filepath.Join(s.dir, "states"), "settings_dir": filepath.Join(s.dir, "settings"),
		"metrics_addr": "", "state_dir": filepath.Join(s.dir, "master"), "log_level": "warn", "log_format": "text",
	})
}

// startPeel starts the last peel's process.
func (s *swarm) startPeel(session *session, id string) error {
	dir := filepath.Join(s.dir, "real")
	creds, err := s.peelCreds(len(s.ids) - 1)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := keys.WriteCreds(filepath.Join(dir, id+".creds"), creds); err != nil {
		return err
	}
	return s.startProcess(session, "peel", peelGoal, map[string]any{
		"id": id, "nats_url": s.nats.URL(), "auth_dir": dir, "facts_dir": filepath.Join(dir, "facts"), "state_dir": filepath.Join(dir, "state"),
		"metrics_addr": "", "log_level": "warn", "log_format": "text",
	})
}

// quiet waits until nothing has been written for a while. It counts looks: while this host stands still, nothing is written
// either.
func (s *swarm) quiet(ctx context.Context) (map[string]uint64, error) {
	var last map[string]uint64
	same := 0
	for start := time.Now(); time.Since(start) < settling; {
		now, err := s.sequences(ctx)
		if err != nil {
			return nil, err
		}
		if same++; !maps.Equal(now, last) {
			last, same = now, 0
		}
		if same >= quietLooks {
			return last, nil
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return last, nil // what goes on being written will be counted
}

const (
	// quietLooks take longer than what follows a job; settling is how long their end is waited for.
	quietLooks = 30
	lookEvery  = 100 * time.Millisecond
	settling   = time.Minute
)

// sequences are the numbers of the last messages of all streams.
func (s *swarm) sequences(ctx context.Context) (map[string]uint64, error) {
	names, err := s.core.Streams(ctx)
	if err != nil {
		return nil, err
	}
	last := map[string]uint64{}
	for _, name := range names {
		state, err := s.core.StreamState(ctx, name)
		if err != nil {
			return nil, err
		}
		last[name] = state.Last
	}
	return last, nil
}
