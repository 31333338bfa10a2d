package bus

import "github.com/VictoriaMetrics/metrics"

// Meter shows the connection's state and troubles in a set of metrics.
func (c *Conn) Meter(set *metrics.Set) {
	set.NewGauge("zester_nats_connected", func() float64 {
		if c.Connected() {
			return 1
		}
		return 0
	})
	set.NewGauge("zester_nats_errors_total", func() float64 { return float64(c.Errors()) })
	set.NewGauge("zester_nats_foreign_messages_total", func() float64 { return float64(c.foreign.Load()) })
	set.NewGauge("zester_nats_reconnects_total", func() float64 { return float64(c.Reconnects()) })
}
