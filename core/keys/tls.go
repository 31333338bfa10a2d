package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// How long certificates hold. A leaf is replaced by issuing a new one of the same CA.
const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 2 * 365 * 24 * time.Hour
	backdate = time.Hour // for clocks that are behind
)

// CA is a certificate authority of our own, for installations that have none.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes an authority with a fresh ECDSA P-256 key.
func NewCA(name string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(name, caLife)
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &CA{cert, key}, err
}

// LoadCA makes a CA of what Cert and Key gave.
func LoadCA(cert, key []byte) (*CA, error) {
	block, _ := pem.Decode(cert)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no PEM certificate")
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	if block, _ = pem.Decode(key); block == nil {
		return nil, errors.New("no PEM private key")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	pair, ok := private.(*ecdsa.PrivateKey)
	if !ok || !pair.PublicKey.Equal(parsed.PublicKey) {
		return nil, errors.New("the private key is not the certificate's")
	}
	return &CA{parsed, pair}, nil
}

// Cert is the authority's certificate in PEM, for everyone who is to trust it.
func (ca *CA) Cert() []byte { return pemOf("CERTIFICATE", ca.cert.Raw) }

// Key is the authority's private key in PEM.
func (ca *CA) Key() ([]byte, error) { return keyPEM(ca.key) }

// Issue makes a server certificate with a fresh key for host names and IP addresses.
func (ca *CA) Issue(hosts []string) (cert, key []byte, err error) {
	if len(hosts) == 0 {
		return nil, nil, errors.New("a certificate needs a host name or an address")
	}
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := certificate(hosts[0], leafLife)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if host == "" || len(host) > 253 {
			return nil, nil, fmt.Errorf("%.60q is no host name", host)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, pair.Public(), ca.key)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyPEM(pair)
	return append(pemOf("CERTIFICATE", der), ca.Cert()...), key, err
}

func certificate(name string, life time.Duration) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil { // crypto/rand does not fail since Go 1.24
		serial = big.NewInt(time.Now().UnixNano())
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{"Zester"}, CommonName: name},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(life),
	}
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pemOf("PRIVATE KEY", der), nil
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
