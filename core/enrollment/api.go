package enrollment

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ptorbus/zester/core/config"
)

// api is the client's end of the HTTPS API.
type api struct {
	base   *url.URL
	caFile string
	http   *http.Client
}

// finalError is one that trying again does not cure.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }

func (e *finalError) Unwrap() error { return e.err }

// laterError is one that the master says may pass.
type laterError struct {
	text   string
	after  time.Duration // what it asks for, 0 if nothing
	unread bool          // it has not looked at the request, whose nonce is as good as before
}

func (e *laterError) Error() string { return e.text }

func (c *Client) dial() (*api, error) {
	base, err := url.Parse(c.URL)
	switch {
	case err != nil || base.Host == "":
		return nil, config.Invalid("master_url", "%q is no URL: use https://HOST:PORT with --master-url", c.URL)
	case base.Scheme != "https":
		return nil, config.Invalid("master_url", "%q: enrollment is over https only: use https://HOST:PORT with --master-url", c.URL)
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, config.Invalid("master_url", "%q has more than a host, a port and a path: use https://HOST:PORT with --master-url", base.Redacted())
	}
	security := &tls.Config{MinVersion: tls.VersionTLS13}
	if c.CAFile != "" {
		if security.RootCAs, err = loadCA(c.CAFile); err != nil {
			return nil, err
		}
	}
	return &api{base: base, caFile: c.CAFile, http: &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       security,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: pollTime + 3*kvTimeout,
			IdleConnTimeout:       time.Minute,
		},
		Timeout:       pollTime + 4*kvTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func loadCA(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return nil, config.Invalid("enroll_ca", "%q: %w: name the file of the authority that signed the master's certificate with --enroll-ca", file, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, config.Invalid("enroll_ca", "%q holds no PEM certificate: name the file of the authority that signed the master's certificate with --enroll-ca", file)
	}
	return pool, nil
}

// maxReply bounds what is read of an answer.
const maxReply = 64 << 10

// post sends one request. Its errors are final, ErrUnknown, or worth another try.
func (a *api) post(ctx context.Context, path string, body, reply any) (status int, err error) {
	data, err := json.Marshal(body)
	if err != nil {
		return 0, &finalError{err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base.JoinPath(path).String(), bytes.NewReader(data))
	if err != nil {
		return 0, &finalError{err}
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := a.http.Do(req)
	if err != nil {
		return 0, a.explain(err)
	}
	defer res.Body.Close()
	data, err = io.ReadAll(io.LimitReader(res.Body, maxReply))
	if err != nil {
		return 0, &laterError{text: fmt.Sprintf("%s: the answer breaks off: %v", a.base, err)}
	}
	if res.StatusCode == http.StatusOK || res.StatusCode == http.StatusAccepted {
		if err := json.Unmarshal(data, reply); err != nil {
			return 0, a.notMaster(path)
		}
		return res.StatusCode, nil
	}
	return res.StatusCode, a.refused(path, res, data)
}

// refused makes an error of an answer that is one.
func (a *api) refused(path string, res *http.Response, data []byte) error {
	var reply errorReply
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	ours := kind == "application/json" && json.Unmarshal(data, &reply) == nil && reply.Error != ""
	text := strings.Join(strings.Fields(reply.Error), " ")
	switch status := res.StatusCode; {
	case status == http.StatusTooManyRequests || status >= 500:
		if !ours {
			text = "it answers " + res.Status
		}
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return &laterError{
			text:   fmt.Sprintf("%s: %s", a.base, text),
			after:  time.Duration(max(0, min(seconds, 120))) * time.Second,
			unread: status == http.StatusTooManyRequests,
		}
	case !ours:
		return a.notMaster(path)
	case status == http.StatusNotFound && path == pathCreds:
		return fmt.Errorf("%s: %s (%w)", a.base, text, ErrUnknown)
	case status == http.StatusGone:
		return &laterError{text: fmt.Sprintf("%s: %s", a.base, text)}
	}
	return &finalError{fmt.Errorf("%s: %s", a.base, text)}
}

func (a *api) notMaster(path string) error {
	return &finalError{config.Invalid("master_url", "%q: what answers there is not a master's enrollment API (no %s): check --master-url", a.base, path)}
}

// explain says what a failed exchange means. Only what a person has to put right is final.
func (a *api) explain(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &unknown) && a.caFile == "":
		return &finalError{config.Invalid("enroll_ca", "the certificate of %s is signed by an authority that this system does not know: name the authority's file with --enroll-ca", a.base)}
	case errors.As(err, &unknown):
		return &finalError{config.Invalid("enroll_ca", "the certificate of %s is not signed by the authority in %q: name the right file with --enroll-ca", a.base, a.caFile)}
	case errors.As(err, &host):
		return &finalError{config.Invalid("master_url", "%q: its certificate is for another host (%w): check --master-url", a.base, host)}
	case errors.Is(err, http.ErrSchemeMismatch):
		return &finalError{config.Invalid("master_url", "%q: it speaks plain HTTP there: check the port in --master-url", a.base)}
	case strings.Contains(err.Error(), "protocol version not supported"): // crypto/tls has no type for alerts
		return &finalError{config.Invalid("master_url", "%q: it offers no TLS 1.3: check --master-url and what stands in front of the master", a.base)}
	}
	return fmt.Errorf("%s: %w", a.base, err)
}

func retryAfter(err error) time.Duration {
	var later *laterError
	if errors.As(err, &later) {
		return later.after
	}
	return 0
}

// backoff grows from a fifth of a second to half a minute.
type backoff struct{ last time.Duration }

const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 30 * time.Second
)

func (b *backoff) reset() { b.last = 0 }

// next is how long to wait now: half of the step to all of it, so that a fleet does not come back in step, and no sooner
// than the master has asked for.
func (b *backoff) next(atLeast time.Duration) time.Duration {
	b.last = max(firstRetry, min(2*b.last, lastRetry))
	return atLeast + b.last/2 + rand.N(b.last/2)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
