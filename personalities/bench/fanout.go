package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/keys"
)

// goals are what the ratios should stay below at 1,000 peels, and the growth of the time per target from 1,000 to 3,000.
var goals = map[string]float64{
	"every peel verifies/ping": 3.2, "every peel verifies/durable": 4.5,
	"one verification/ping": 1.6, "one verification/durable": 3.0,
}

// result is what one exchange took: time, that of this process's processors together, and what the server received and sent.
type result struct {
	time, cpu       time.Duration
	messages, bytes float64 // per target
}

// mode is a way of verifying, with what was measured.
type mode struct {
	name               string
	shared             bool
	raw, ping, durable []result
	confirm            []result // what follows a ping; no time is measured of it
}

// Run measures with each number of peels in turn.
func (c *fanoutCommand) Run(s *session) error {
	first := map[string]result{} // per target, of the first number of peels
	for i, n := range c.Peels {
		profile := ""
		if i == len(c.Peels)-1 {
			profile = c.CPUProfile
		}
		modes, err := c.measure(s, n, profile)
		if err != nil {
			return err
		}
		if err := c.print(s, n, modes, first); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(s.stdio.Out, explanation)
	return err
}

func (c *fanoutCommand) measure(s *session, n int, profile string) ([]*mode, error) {
	if err := raiseFiles(n); err != nil {
		return nil, err
	}
	sw, err := newSwarm(s.ctx, n, s.log)
	if err != nil {
		return nil, err
	}
	defer sw.stop()
	raw, err := newScatter(s.ctx, sw)
	if err != nil {
		return nil, err
	}
	modes := []*mode{{name: "every peel verifies"}, {name: "one verification", shared: true}}
	for _, m := range modes {
		var verifier *keys.Verifier
		file := ""
		if m.shared {
			if verifier, err = keys.NewVerifier(sw.hierarchy.Account().Public()); err != nil {
				return nil, err
			}
			file = profile
		}
		if err := c.rounds(s.ctx, sw, raw, m, verifier, false, file); err != nil {
			return nil, err
		}
		if file != "" {
			file += ".durable"
		}
		if err := c.rounds(s.ctx, sw, raw, m, verifier, true, file); err != nil {
			return nil, err
		}
	}
	return modes, nil
}

// rounds measures a job and the raw exchange by turns, after one of each that does not count.
func (c *fanoutCommand) rounds(ctx context.Context, sw *swarm, raw *scatter, m *mode, verifier *keys.Verifier, durable bool, profile string) error {
	confirm := confirmAfter(len(sw.ids))
	if durable {
		confirm = -1
	}
	stop, err := sw.runPeels(ctx, verifier, confirm)
	if err != nil {
		return err
	}
	defer stop()
	for round := range c.Rounds + 1 {
		plain, err := sw.timed(ctx, raw.gather)
		if err != nil {
			return err
		}
		ping, stored, err := sw.ask(ctx)
		if err != nil {
			return err
		}
		if round == 0 {
			continue
		}
		m.raw = append(m.raw, plain)
		if durable {
			m.durable = append(m.durable, stored)
			continue
		}
		m.ping = append(m.ping, ping)
		m.confirm = append(m.confirm, result{cpu: stored.cpu - ping.cpu, messages: stored.messages - ping.messages, bytes: stored.bytes - ping.bytes})
	}
	if profile == "" {
		return nil
	}
	return c.profile(ctx, sw, profile)
}

func (c *fanoutCommand) profile(ctx context.Context, sw *swarm, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	sw.asIs = true
	defer func() { sw.asIs = false }()
	for range 4 * c.Rounds {
		if _, _, err := sw.ask(ctx); err != nil {
			return err
		}
	}
	return nil
}

// meter measures one exchange from its making on. It begins with a clean heap: how much there is
// to collect depends on what went before.
type meter struct {
	swarm  *swarm
	before traffic
	start  time.Time
	cpu    time.Duration
}

func (s *swarm) meter(ctx context.Context) (*meter, error) {
	before, err := s.traffic(ctx)
	if err != nil {
		return nil, err
	}
	if !s.asIs {
		runtime.GC()
	}
	return &meter{s, before, time.Now(), processor()}, nil
}

// read gives what the exchange has taken until now, messages and bytes where the server is asked.
func (m *meter) read() result { return result{time: time.Since(m.start), cpu: processor() - m.cpu} }

func (m *meter) count(ctx context.Context, r *result) error {
	after, err := m.swarm.traffic(ctx)
	n := float64(len(m.swarm.ids))
	r.messages, r.bytes = float64(after.messages()-m.before.messages())/n, float64(after.bytes()-m.before.bytes())/n
	return err
}

func (s *swarm) timed(ctx context.Context, exchange func(context.Context) error) (result, error) {
	m, err := s.meter(ctx)
	if err != nil {
		return result{}, err
	}
	if err := exchange(ctx); err != nil {
		return result{}, err
	}
	r := m.read()
	return r, m.count(ctx, &r)
}

// ask runs test.ping on all peels: until the client has all returns, and until all peels know theirs to be stored. Then it
// waits for the master to close the job.
func (s *swarm) ask(ctx context.Context) (ping, stored result, err error) {
	n := len(s.ids)
	sent := s.metrics.GetOrCreateCounter("zester_peel_returns_sent_total")
	closed := s.metrics.GetOrCreateCounter(`zester_jobs_closed_total{state="done"}`)
	sentBefore, closedBefore := sent.Get(), closed.Get()
	m, err := s.meter(ctx)
	if err != nil {
		return ping, stored, err
	}
	job, err := s.client.Submit(ctx, jobs.Request{Target: "*", Function: "test.ping", Timeout: startWait})
	if err != nil {
		return ping, stored, err
	}
	summary := job.Wait(nil)
	ping = m.read()
	if summary.Returned != n || summary.ExitCode() != 0 {
		return ping, stored, fmt.Errorf("job %s: %d of %d peels returned: %w", summary.JID, summary.Returned, n, summary.Err)
	}
	pace := quick
	if sent.Get() == sentBefore { // nobody has asked yet
		pace = slow
	}
	if err := m.count(ctx, &ping); err != nil {
		return ping, stored, err
	}
	if err := wait(ctx, pace, "all returns are stored", func() bool { return sent.Get()-sentBefore >= uint64(n) }); err != nil {
		return ping, stored, err
	}
	stored = m.read()
	if err := m.count(ctx, &stored); err != nil {
		return ping, stored, err
	}
	return ping, stored, wait(ctx, slow, "the job is closed", func() bool { return closed.Get() > closedBefore })
}

// traffic is what the server has received and sent.
type traffic struct {
	InMsgs   uint64 `json:"in_msgs"`
	OutMsgs  uint64 `json:"out_msgs"`
	InBytes  uint64 `json:"in_bytes"`
	OutBytes uint64 `json:"out_bytes"`
}

func (t traffic) messages() uint64 { return t.InMsgs + t.OutMsgs }
func (t traffic) bytes() uint64    { return t.InBytes + t.OutBytes }

func (s *swarm) traffic(ctx context.Context) (t traffic, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.monitor, nil)
	if err != nil {
		return t, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return t, err
	}
	defer resp.Body.Close()
	return t, json.NewDecoder(resp.Body).Decode(&t)
}

// median is the middle of the times, and of the processors' times.
func median(results []result) result {
	by := func(f func(result) time.Duration) result {
		sorted := slices.SortedFunc(slices.Values(results), func(a, b result) int { return cmp.Compare(f(a), f(b)) })
		return sorted[len(sorted)/2]
	}
	r := by(func(r result) time.Duration { return r.time })
	r.cpu = by(func(r result) time.Duration { return r.cpu }).cpu
	return r
}

const explanation = `ping is of a function that reads, until the client has all returns; the stream is asked for them a while later,
and what that takes is on the line below. durable is until every peel knows that its return is stored, which it asks at once.
ratio is the time by that of raw NATS, growth that of a target's share over the first number of peels.
CPU is what all processors spent on a target: it changes little with what else the host does.
`

func (c *fanoutCommand) print(s *session, n int, modes []*mode, first map[string]result) error {
	fmt.Fprintf(s.stdio.Out, "%d peels, %d CPUs, median of %d\n", n, runtime.GOMAXPROCS(0), c.Rounds)
	w := tabwriter.NewWriter(s.stdio.Out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\ttime\tper target\tgrowth\tratio\tgoal\tCPU\tgrowth\tratio\tmessages\tbytes\t")
	for _, m := range modes {
		raw := median(m.raw)
		for _, line := range []struct {
			name    string
			results []result
		}{{"raw NATS", m.raw}, {"ping", m.ping}, {"asked for later", m.confirm}, {"durable", m.durable}} {
			r, key := median(line.results), m.name+"/"+line.name
			per, cpu := r.time/time.Duration(n), r.cpu/time.Duration(n)
			growth, ratio, goal, cpuGrowth, cpuRatio := "", "", "", "", ""
			if f, ok := first[key]; ok {
				growth, cpuGrowth = percent(per, f.time), percent(cpu, f.cpu)
			} else {
				first[key] = result{time: per, cpu: cpu}
			}
			switch {
			case line.name == "asked for later":
				fmt.Fprintf(w, "%s, %s\t\t\t\t\t\t%.1f µs\t%s\t%.2f\t%.1f\t%.0f\t\n", m.name, line.name,
					microseconds(cpu), cpuGrowth, float64(r.cpu)/float64(raw.cpu), r.messages, r.bytes)
				continue
			case line.name != "raw NATS":
				ratio, cpuRatio = fmt.Sprintf("%.2f", float64(r.time)/float64(raw.time)), fmt.Sprintf("%.2f", float64(r.cpu)/float64(raw.cpu))
			}
			if g, ok := goals[key]; ok && n == 1000 {
				goal = fmt.Sprintf("%.1f", g)
			}
			fmt.Fprintf(w, "%s, %s\t%.1f ms\t%.1f µs\t%s\t%s\t%s\t%.1f µs\t%s\t%s\t%.1f\t%.0f\t\n", m.name, line.name,
				milliseconds(r.time), microseconds(per), growth, ratio, goal, microseconds(cpu), cpuGrowth, cpuRatio, r.messages, r.bytes)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.stdio.Out)
	return err
}

func percent(now, before time.Duration) string {
	return fmt.Sprintf("%+.0f%%", 100*(float64(now)/float64(max(before, 1))-1))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
