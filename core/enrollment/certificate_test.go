package enrollment

import (
	"crypto/tls"
	"os"
	"strings"
	"testing"
	"time"
)

func TestRenewedCertificate(t *testing.T) {
	ca := newAuthority(t)
	certFile, keyFile := ca.issue(t, "first")
	newCert, newKey := ca.issue(t, "second")
	p, err := loadPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	book := &logBook{}
	p.logTo(book.logger())
	served := func() string {
		t.Helper()
		c, err := p.certificate(&tls.ClientHelloInfo{})
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.Subject.CommonName
	}
	at := time.Now()
	replace := func(file, by string) {
		t.Helper()
		data, err := os.ReadFile(by)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, file, data)
		at = at.Add(time.Second) // whatever the file system's resolution
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if name := served(); name != "first" {
		t.Fatalf("serves %q", name)
	}
	replace(certFile, newCert)
	if name := served(); name != "first" || strings.Count(book.String(), "the old one stays") != 1 {
		t.Errorf("between the two files it serves %q and logs\n%s", name, book)
	}
	served()
	replace(keyFile, newKey)
	if name := served(); name != "second" || strings.Count(book.String(), "the old one stays") != 1 {
		t.Errorf("after both it serves %q and logs\n%s", name, book)
	}
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	if name := served(); name != "second" {
		t.Errorf("without the file it serves %q", name)
	}
}
