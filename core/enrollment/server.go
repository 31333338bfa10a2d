package enrollment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
)

// ServerOptions is what a Server works with.
type ServerOptions struct {
	Conn      *bus.Conn // a master's
	Account   *keys.Account
	Directory *Directory
	TTL       time.Duration // how long a peel's JWT lives; 0 is for ever
	Limits    Limits
	Log       *slog.Logger
	Clock     func() time.Time // time.Now if nil
}

// Server is the HTTPS API for peels that enroll. Serve it with Listen.
type Server struct {
	ServerOptions
	store      *Store
	challenges challenges
	requests   *limiter      // by address
	handed     *limiter      // challenges, by address
	everybody  *rate.Limiter // challenges
	waiting    chan struct{} // a slot for each poll that waits
	mux        *http.ServeMux
}

var _ http.Handler = (*Server)(nil)

// NewServer makes a Server. Several, on several masters, share the work without knowing of each other.
func NewServer(o ServerOptions) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	o.Limits = o.Limits.withDefaults()
	s := &Server{
		ServerOptions: o,
		store:         NewStore(o.Conn, o.Clock),
		challenges:    challenges{o.Conn},
		requests:      newLimiter(requestsPerChallenge*o.Limits.Rate, requestsPerChallenge*o.Limits.Burst, o.Limits.Addresses),
		handed:        newLimiter(o.Limits.Rate, o.Limits.Burst, o.Limits.Addresses),
		everybody:     rate.NewLimiter(rate.Limit(o.Limits.Challenges), int(10*o.Limits.Challenges)),
		waiting:       make(chan struct{}, o.Limits.Waiting),
		mux:           http.NewServeMux(),
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, &httpError{status: http.StatusNotFound, text: fmt.Sprintf("there is nothing at %.80q: enrollment is at /v1/challenge, /v1/enroll and /v1/creds", r.URL.Path)})
	})
	s.mux.HandleFunc(pathChallenge, answer(s, s.challenge))
	s.mux.HandleFunc(pathEnroll, answer(s, s.enroll))
	s.mux.HandleFunc(pathCreds, answer(s, s.creds))
	return s
}

// kvTimeout bounds what one request may wait for NATS.
const kvTimeout = 5 * time.Second

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if wait, ok := s.requests.allow(addressOf(r), s.Clock()); !ok {
		s.fail(w, r, tooMany(wait, "too many requests from this address"))
		return
	}
	if !s.Conn.Connected() {
		s.fail(w, r, errors.New("not connected to NATS"))
		return
	}
	s.mux.ServeHTTP(w, r)
}

func tooMany(wait time.Duration, what string) error {
	return &httpError{status: http.StatusTooManyRequests, retry: wait, text: what + ": wait and try again"}
}

// addressOf is the other end of the connection. What proxies say of who is behind them anybody can say.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// httpError is an error with its place in HTTP.
type httpError struct {
	status int
	text   string
	retry  time.Duration // when it may be tried again, if it may
	err    error         // what is logged here and not told there
}

func (e *httpError) Error() string { return e.text }

func (e *httpError) Unwrap() error { return e.err }

// checked is a request body that can tell whether it is well formed.
type checked interface{ check() error }

// answer makes a handler of a function from a request's body to a reply's, with the reply's status.
func answer[T checked](s *Server, f func(*http.Request, T) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			s.fail(w, r, &httpError{status: http.StatusMethodNotAllowed, text: fmt.Sprintf("%s takes POST", r.URL.Path)})
			return
		}
		var body T
		err := decode(http.MaxBytesReader(w, r.Body, maxBody), &body)
		if err == nil {
			err = body.check()
		}
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			s.fail(w, r, &httpError{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("the body is larger than %d bytes", maxBody)})
			return
		case err != nil:
			s.fail(w, r, &httpError{status: http.StatusBadRequest, text: err.Error()})
			return
		}
		status, reply, err := f(r, body)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.write(w, status, reply)
	}
}

func (s *Server) challenge(r *http.Request, q challengeRequest) (int, any, error) {
	if wait, ok := s.handed.allow(addressOf(r), s.Clock()); !ok {
		return 0, nil, tooMany(wait, "too many challenges for this address")
	}
	if wait, ok := take(s.everybody, s.Clock()); !ok {
		return 0, nil, tooMany(wait, "too many peels are enrolling at once")
	}
	ctx, cancel := context.WithTimeout(r.Context(), kvTimeout)
	defer cancel()
	nonce, err := s.challenges.issue(ctx, q.ID, q.Public)
	return http.StatusOK, challengeReply{nonce}, err
}

// authenticate checks the signature before it uses up the nonce, so that nobody can spoil another's.
func (s *Server) authenticate(ctx context.Context, id, public, nonce string, signed, signature []byte) error {
	if err := keys.Verify(public, signed, signature); err != nil {
		return &httpError{status: http.StatusUnauthorized, text: "the request is not signed with the key it names", err: err}
	}
	return s.challenges.redeem(ctx, id, public, nonce)
}

func (s *Server) enroll(r *http.Request, q enrollRequest) (int, any, error) {
	ctx, cancel := context.WithTimeout(r.Context(), kvTimeout)
	defer cancel()
	if err := s.authenticate(ctx, q.ID, q.Public, q.Nonce, q.statement(), q.Signature); err != nil {
		return 0, nil, err
	}
	address := addressOf(r)
	if s.Directory.record(q.ID).State == "" {
		if err := s.room(q, address); err != nil {
			return 0, nil, err
		}
	}
	record, created, err := s.store.Submit(ctx, Record{ID: q.ID, Public: q.Public, Curve: q.Curve, Address: address, Facts: q.Facts})
	switch {
	case err != nil:
		return 0, nil, err
	case record.State == Rejected:
		return 0, nil, rejected(q.ID)
	case created:
		s.Log.Info("a peel asks to enroll", "peel", q.ID, "address", address, "public", q.Public, "fingerprint", record.Fingerprint())
	}
	return http.StatusOK, stateReply{record.State}, nil
}

// room says whether one more pending record may be made. Masters that decide at the same moment may each let one in.
func (s *Server) room(q enrollRequest, address string) error {
	if other := s.Directory.holder(q.Public, q.ID); other != "" {
		return &KeyError{ID: q.ID, Other: other}
	}
	all, from := s.Directory.undecided(address)
	full := &httpError{status: http.StatusServiceUnavailable, retry: 30 * time.Second}
	switch {
	case all >= s.Limits.Pending:
		full.text = fmt.Sprintf("%d enrollments wait for a decision, which is the limit: run `zester enroll approve` or `zester enroll reject`", all)
	case from >= s.Limits.PendingPerAddress:
		full.text = fmt.Sprintf("%d enrollments from this address wait for a decision, which is the limit: run `zester enroll approve` or `zester enroll reject`", from)
	default:
		return nil
	}
	return full
}

func rejected(id string) error {
	return &httpError{status: http.StatusForbidden, text: fmt.Sprintf("the enrollment of %q was rejected: if that was a mistake, run `zester enroll remove %s` and start the peel again", id, id)}
}

// fail answers with an error; what is not meant for the peel stays in the log.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var known *httpError
	var key *KeyError
	switch {
	case errors.As(err, &known):
	case errors.As(err, &key):
		known = &httpError{status: http.StatusConflict, text: key.Error()}
	case errors.Is(err, errNonce):
		known = &httpError{status: http.StatusGone, text: err.Error()}
	case errors.Is(err, ErrUnknown):
		known = &httpError{status: http.StatusNotFound, text: err.Error()}
	case r.Context().Err() != nil:
		known = &httpError{status: http.StatusServiceUnavailable, retry: time.Second, text: "the master is stopping: try again"}
	case errors.Is(err, bus.ErrFull):
		known = &httpError{status: http.StatusServiceUnavailable, retry: 30 * time.Second, text: "the master has no room for more enrollments now: try again later", err: err}
	default:
		known = &httpError{status: http.StatusServiceUnavailable, retry: time.Second, text: "the master cannot reach its storage: try again later", err: err}
	}
	if known.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(known.retry.Seconds()))))
	}
	level := slog.LevelDebug // anybody can cause these
	if known.err != nil && known.status >= 500 {
		level = slog.LevelWarn
	}
	s.Log.Log(r.Context(), level, "an enrollment request is refused", "path", r.URL.Path, "address", addressOf(r), "status", known.status, "reason", known.text, "error", known.err)
	s.write(w, known.status, errorReply{known.text})
}

func (s *Server) write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		s.Log.Debug("a peel hung up before it had its answer", "error", err)
	}
}
