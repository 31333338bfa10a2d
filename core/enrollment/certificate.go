package enrollment

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ptorbus/zester/core/config"
)

// pair is a certificate and its key in two files. It is read again when one of them has changed, so that a renewed
// certificate needs no restart; until both belong together the old one stays.
type pair struct {
	certFile, keyFile string

	mu      sync.Mutex
	log     *slog.Logger
	changed [2]time.Time
	current *tls.Certificate
}

func loadPair(certFile, keyFile string) (*pair, error) {
	p := &pair{certFile: certFile, keyFile: keyFile, log: slog.New(slog.DiscardHandler)}
	p.changed = p.modified() // before the content is read: what changes in between is read again
	cert, err := loadCertificate(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	p.current = &cert
	return p, nil
}

func (p *pair) logTo(log *slog.Logger) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = log
}

// certificate is what a handshake gets: two calls of stat if nothing has changed.
func (p *pair) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if changed := p.modified(); changed != p.changed {
		p.changed = changed
		if cert, err := loadCertificate(p.certFile, p.keyFile); err != nil {
			p.log.Warn("the enrollment certificate has changed and cannot be used; the old one stays", "error", err)
		} else {
			p.current = &cert
			p.log.Info("the enrollment certificate is loaded anew", "file", p.certFile)
		}
	}
	return p.current, nil
}

func (p *pair) modified() (times [2]time.Time) {
	for i, file := range []string{p.certFile, p.keyFile} {
		if info, err := os.Stat(file); err == nil {
			times[i] = info.ModTime()
		}
	}
	return times
}

func loadCertificate(certFile, keyFile string) (tls.Certificate, error) {
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, explainFile("enroll_tls_cert", "--enroll-tls-cert", certFile, err)
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, explainFile("enroll_tls_key", "--enroll-tls-key", keyFile, err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(certPEM) {
		return tls.Certificate{}, config.Invalid("enroll_tls_cert", "%q holds no PEM certificate: name another file with --enroll-tls-cert", certFile)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, config.Invalid("enroll_tls_key", "%q is not the key of the certificate in %q (%w): name the two files of one pair with --enroll-tls-cert and --enroll-tls-key", keyFile, certFile, err)
	}
	return cert, nil
}

func explainFile(key, flag, file string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return config.Invalid(key, "%q: %w: name a PEM file that can be read with %s (\"zester bootstrap\" makes one)", file, err, flag)
}
