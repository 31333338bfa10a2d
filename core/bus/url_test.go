package bus_test

import (
	"testing"

	"github.com/ptorbus/zester/core/bus"
)

func TestCheckURL(t *testing.T) {
	for _, good := range []string{
		"nats://nats:4222", "tls://nats.example:4222", "127.0.0.1:4222", "nats", "nats://a:4222,nats://b:4222", "a:1, b:2", "nats://[::1]:4222",
	} {
		if err := bus.CheckURL(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, part := range map[string]string{
		"": "", "http://nats:4222": "http://nats:4222", "foo bar": "foo bar", "nats://": "nats://", "a:1,": "", "nats//nats": "nats//nats", "a:1,nats:b:c": "nats:b:c", "nats://a:port": "nats://a:port",
	} {
		want := `"` + part + `" is no address of a NATS server: want nats://HOST:PORT or tls://HOST:PORT, with commas between several`
		if err := bus.CheckURL(bad); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", bad, err, want)
		}
	}
}
