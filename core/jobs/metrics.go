package jobs

import (
	"fmt"
	"sync/atomic"

	"github.com/VictoriaMetrics/metrics"
)

// runnerMeters counts a peel's jobs.
type runnerMeters struct {
	set         *metrics.Set
	running     *atomic.Int64
	busy        *metrics.Counter
	redelivered *metrics.Counter
	sent        *metrics.Counter
	unsent      *metrics.Counter
	succeeded   *metrics.Counter
	failed      *metrics.Counter
}

func newRunnerMeters(set *metrics.Set, j *journal) runnerMeters {
	if set == nil {
		set = metrics.NewSet()
	}
	m := runnerMeters{
		set:         set,
		running:     new(atomic.Int64),
		busy:        set.GetOrCreateCounter("zester_peel_jobs_busy_total"),
		redelivered: set.GetOrCreateCounter("zester_peel_commands_redelivered_total"),
		sent:        set.GetOrCreateCounter("zester_peel_returns_sent_total"),
		unsent:      set.GetOrCreateCounter("zester_peel_return_attempts_failed_total"),
		succeeded:   set.GetOrCreateCounter(`zester_peel_jobs_total{success="true"}`),
		failed:      set.GetOrCreateCounter(`zester_peel_jobs_total{success="false"}`),
	}
	set.GetOrCreateGauge("zester_peel_jobs_running", func() float64 { return float64(m.running.Load()) })
	set.GetOrCreateGauge("zester_peel_outbox_returns", func() float64 { return float64(j.depth()) })
	return m
}

func (m runnerMeters) refused(kind string) {
	m.set.GetOrCreateCounter(fmt.Sprintf("zester_peel_commands_refused_total{reason=%q}", kind)).Inc()
}

func (m runnerMeters) returned(success bool) {
	if success {
		m.succeeded.Inc()
	} else {
		m.failed.Inc()
	}
}

// dispatcherMeters counts a master's jobs.
type dispatcherMeters struct {
	set       *metrics.Set
	takeovers *metrics.Counter
	commands  *metrics.Counter
	resent    *metrics.Counter
	returns   *metrics.Counter
	released  *metrics.Counter
	strays    *metrics.Counter
	declined  *metrics.Counter
	dispatch  *metrics.Histogram
	acks      *metrics.Histogram
}

func newDispatcherMeters(set *metrics.Set, open func(Stage) int) dispatcherMeters {
	if set == nil {
		set = metrics.NewSet()
	}
	for _, s := range []Stage{StageRunning, StagePaused, StageAborted, StageCancelled} {
		set.GetOrCreateGauge(fmt.Sprintf("zester_jobs_open{state=%q}", string(s)), func() float64 { return float64(open(s)) })
	}
	return dispatcherMeters{
		set:       set,
		takeovers: set.GetOrCreateCounter("zester_jobs_taken_over_total"),
		commands:  set.GetOrCreateCounter("zester_commands_sent_total"),
		resent:    set.GetOrCreateCounter("zester_commands_resent_total"),
		returns:   set.GetOrCreateCounter("zester_job_returns_total"),
		released:  set.GetOrCreateCounter("zester_jobs_released_total"),
		declined:  set.GetOrCreateCounter("zester_commands_declined_total"),
		strays:    set.GetOrCreateCounter("zester_returns_stray_total"),
		acks:      set.GetOrCreateHistogram("zester_job_ack_seconds"),
		dispatch:  set.GetOrCreateHistogram("zester_job_dispatch_seconds"),
	}
}

func (m dispatcherMeters) requests(verdict string) *metrics.Counter {
	return m.set.GetOrCreateCounter(fmt.Sprintf("zester_job_requests_total{verdict=%q}", verdict))
}

func (m dispatcherMeters) orders(o Order) *metrics.Counter {
	return m.set.GetOrCreateCounter(fmt.Sprintf("zester_job_orders_total{order=%q}", string(o)))
}

func (m dispatcherMeters) closed(s Stage) *metrics.Counter {
	return m.set.GetOrCreateCounter(fmt.Sprintf("zester_jobs_closed_total{state=%q}", string(s)))
}
