package enrollment

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound what the network may ask of a master. The zero value of a field is its default.
type Limits struct {
	Rate              float64 // challenges per second to one address, 50; a peel needs two, and one for each poll after that
	Burst             int     // challenges to one address at once, 500; of all requests it may make four times as many
	Challenges        float64 // challenges per second from all addresses, 400: what their bucket holds until they expire
	Pending           int     // undecided records, 10,000
	PendingPerAddress int     // undecided records of one address, 1,000
	Waiting           int     // polls that wait for an approval at once, 2,000; the others are told to come back
	Addresses         int     // addresses whose rate is remembered, 16,384
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.Rate, 50)
	setDefault(&l.Burst, 500)
	setDefault(&l.Challenges, 400)
	setDefault(&l.Pending, 10_000)
	setDefault(&l.PendingPerAddress, 1000)
	setDefault(&l.Waiting, 2000)
	setDefault(&l.Addresses, 16_384)
	return l
}

func setDefault[T int | float64](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// network is what counts as one address: an IPv4 address, or the /64 of an IPv6 one, since its holder has all of that.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// requestsPerChallenge leaves room for the request that a challenge is for, and its repetitions.
const requestsPerChallenge = 4

// limiter is a token bucket for each of the addresses seen last. Forgetting an address gives it a full bucket, which
// favours whoever has so many of them; the limits on what is stored hold for those.
type limiter struct {
	rate  rate.Limit
	burst int
	size  int

	mu     sync.Mutex
	bucket map[string]*list.Element // of *visitor
	recent *list.List               // seen last in front
}

type visitor struct {
	network string
	tokens  *rate.Limiter
}

func newLimiter(perSecond float64, burst, size int) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, size: size, bucket: map[string]*list.Element{}, recent: list.New()}
}

// allow takes a token of the address, or says how long it is until there is one.
func (l *limiter) allow(address string, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := network(address)
	e, known := l.bucket[key]
	if known {
		l.recent.MoveToFront(e)
	} else {
		if l.recent.Len() >= l.size {
			oldest := l.recent.Back()
			delete(l.bucket, oldest.Value.(*visitor).network)
			l.recent.Remove(oldest)
		}
		e = l.recent.PushFront(&visitor{key, rate.NewLimiter(l.rate, l.burst)})
		l.bucket[key] = e
	}
	return take(e.Value.(*visitor).tokens, now)
}

// take takes a token or says how long it is until there is one, without reserving it.
func take(l *rate.Limiter, now time.Time) (wait time.Duration, ok bool) {
	r := l.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait, false
	}
	return 0, true
}
