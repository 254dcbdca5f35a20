// A SCEP client of micromdm's library, as far as that goes:
//
//	scep OPERATION URL NAME=VALUE...
//
// with the operations ca, enrol and renew of Scep.java, and its names key=,
// cn=, san=, challenge=, out=, cert=, oldkey=, cipher=aes128|aes256; get=1
// sends by GET, in the base64 for URLs.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/go-kit/kit/log"
	"github.com/micromdm/scep/client"
	"github.com/micromdm/scep/cryptoutil/x509util"
	"github.com/micromdm/scep/scep"
	"github.com/micromdm/scep/server"
	"go.mozilla.org/pkcs7"
)

type operation struct {
	client  scepclient.Client
	options map[string]string
	key     *rsa.PrivateKey
	signer  *x509.Certificate
	by      *rsa.PrivateKey
}

func check(err error) {
	if err != nil {
		fmt.Println("wrong:", err)
		os.Exit(2)
	}
}

func read(name string) []byte {
	data, err := os.ReadFile(name)
	check(err)

	block, _ := pem.Decode(data)
	if block == nil {
		check(errors.New("no PEM in " + name))
	}

	return block.Bytes
}

func readKey(name string) *rsa.PrivateKey {
	key, err := x509.ParsePKCS8PrivateKey(read(name))
	check(err)

	return key.(*rsa.PrivateKey)
}

func (o *operation) write(certificates []*x509.Certificate) {
	out, err := os.Create(o.options["out"])
	check(err)

	for _, c := range certificates {
		check(pem.Encode(out, &pem.Block{Type: "CERTIFICATE",
			Bytes: c.Raw}))
	}

	check(out.Close())
}

func (o *operation) authorities() []*x509.Certificate {
	data, number, err := o.client.GetCACert(context.Background(), "")
	check(err)

	if number > 1 {
		certificates, err := scep.CACerts(data)
		check(err)

		return certificates
	}

	certificate, err := x509.ParseCertificate(data)
	check(err)

	return []*x509.Certificate{certificate}
}

// The RA, if there is one, is who is no authority.
func (o *operation) recipient() *x509.Certificate {
	authorities := o.authorities()

	for _, c := range authorities {
		if len(authorities) == 1 || !c.IsCA {
			return c
		}
	}

	check(errors.New("no recipient"))

	return nil
}

// The certificate that is there, or one made for the purpose.
func (o *operation) keys() {
	o.key = readKey(o.options["key"])

	if o.options["cert"] != "" {
		certificate, err := x509.ParseCertificate(
			read(o.options["cert"]))
		check(err)

		o.signer, o.by = certificate, readKey(o.options["oldkey"])

		return
	}

	template := x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: o.options["cn"]},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature |
			x509.KeyUsageKeyEncipherment,
	}

	der, err := x509.CreateCertificate(rand.Reader, &template, &template,
		&o.key.PublicKey, o.key)
	check(err)

	o.signer, err = x509.ParseCertificate(der)
	check(err)

	o.by = o.key
}

func (o *operation) csr() *x509.CertificateRequest {
	template := x509util.CertificateRequest{
		CertificateRequest: x509.CertificateRequest{
			Subject: pkix.Name{CommonName: o.options["cn"]},
		},
		ChallengePassword: o.options["challenge"],
	}

	if o.options["san"] != "" {
		template.DNSNames = []string{o.options["san"]}
	}

	der, err := x509util.CreateCertificateRequest(rand.Reader, &template,
		o.key)
	check(err)

	csr, err := x509.ParseCertificateRequest(der)
	check(err)

	return csr
}

func (o *operation) send(message []byte) []byte {
	var answer []byte
	var err error

	if o.options["get"] != "" {
		response, e := o.client.(*scepserver.Endpoints).GetEndpoint(
			context.Background(), scepserver.SCEPRequest{
				Operation: "PKIOperation", Message: message})
		check(e)

		answer = response.(scepserver.SCEPResponse).Data
		err = response.(scepserver.SCEPResponse).Err

	} else {
		answer, err = o.client.PKIOperation(context.Background(),
			message)
	}

	check(err)

	return answer
}

func (o *operation) enrol(kind scep.MessageType) {
	pkcs7.ContentEncryptionAlgorithm = pkcs7.EncryptionAlgorithmAES128CBC

	if o.options["cipher"] == "aes256" {
		pkcs7.ContentEncryptionAlgorithm =
			pkcs7.EncryptionAlgorithmAES256CBC
	}

	o.keys()

	recipient := o.recipient()
	request, err := scep.NewCSRRequest(o.csr(), &scep.PKIMessage{
		MessageType: kind,
		Recipients:  []*x509.Certificate{recipient},
		SignerKey:   o.by,
		SignerCert:  o.signer,
	})
	check(err)

	answer, err := scep.ParsePKIMessage(o.send(request.Raw),
		scep.WithCACerts([]*x509.Certificate{recipient}))
	check(err)

	if answer.TransactionID != request.TransactionID ||
		string(answer.RecipientNonce) != string(request.SenderNonce) {
		check(errors.New("transactionID or recipientNonce"))
	}

	switch answer.PKIStatus {
	case scep.PENDING:
		fmt.Println("PENDING")
		os.Exit(1)
	case scep.FAILURE:
		fmt.Println("FAILURE", string(answer.FailInfo))
		os.Exit(1)
	}

	check(answer.DecryptPKIEnvelope(o.signer, o.by))

	if !o.key.PublicKey.Equal(answer.CertRepMessage.Certificate.PublicKey) {
		check(errors.New("another key"))
	}

	o.write([]*x509.Certificate{answer.CertRepMessage.Certificate})
	fmt.Println("SUCCESS")
}

func main() {
	client, err := scepclient.New(os.Args[2], log.NewNopLogger())
	check(err)

	o := &operation{client: client, options: map[string]string{}}

	for _, arg := range os.Args[3:] {
		name, value, _ := strings.Cut(arg, "=")
		o.options[name] = value
	}

	switch os.Args[1] {
	case "ca":
		o.write(o.authorities())
		fmt.Println("SUCCESS")
	case "enrol":
		o.enrol(scep.PKCSReq)
	case "renew":
		o.enrol(scep.RenewalReq)
	default:
		check(errors.New("no operation " + os.Args[1]))
	}
}
