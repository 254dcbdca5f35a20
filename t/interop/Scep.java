/*
 * A SCEP client of BouncyCastle's CMS:
 *
 *     java Scep.java OPERATION URL NAME=VALUE...
 *
 *     ca                   GetCACert: all that come, to out=
 *     enrol                PKCSReq; with cert= and oldkey= signed by those
 *     renew                RenewalReq, signed by cert= and oldkey=
 *     poll                 CertPoll for an enrol that was PENDING
 *     getcert, getcrl      of the certificate in of=, signed by cert=, oldkey=
 *     next                 GetNextCACert: all that come, to out=
 *
 *     key=FILE             PKCS#8 in PEM: of the new certificate
 *     cn=, san=, challenge=
 *     out=FILE             what came, PEM
 *     form=ber|der         how messages are encoded, default ber
 *     wrap=pkcs1|oaep      how the content key is encrypted
 *     mgf1=256|1           the hash of MGF1 beside SHA-256 of OAEP
 *     cipher=aes128|aes256, digest=256|384|512, pss=1
 *     ca=FILE              encrypts for and trusts this one, not GetCACert's
 *
 * prints the status: "SUCCESS", "PENDING", "FAILURE N".  Exits with 0 at
 * success, with 1 otherwise, with 2 if the answer is not what RFC 8894 says.
 */

import java.io.FileReader;
import java.io.FileWriter;
import java.io.Writer;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Security;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;

import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1String;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.DERPrintableString;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.DERSet;
import org.bouncycastle.asn1.DERUTF8String;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.cms.CMSAttributes;
import org.bouncycastle.asn1.cms.IssuerAndSerialNumber;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.ExtensionsGenerator;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509CRLHolder;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.cms.CMSAlgorithm;
import org.bouncycastle.cms.CMSEnvelopedData;
import org.bouncycastle.cms.CMSEnvelopedDataGenerator;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.DefaultSignedAttributeTableGenerator;
import org.bouncycastle.cms.PasswordRecipient;
import org.bouncycastle.cms.PasswordRecipientInformation;
import org.bouncycastle.cms.Recipient;
import org.bouncycastle.cms.RecipientInformation;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.cms.jcajce.JceCMSContentEncryptorBuilder;
import org.bouncycastle.cms.jcajce.JceKeyTransEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipientInfoGenerator;
import org.bouncycastle.cms.jcajce.JcePasswordEnvelopedRecipient;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaAlgorithmParametersConverter;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.bouncycastle.util.CollectionStore;
import org.bouncycastle.util.encoders.Hex;

import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import java.security.spec.MGF1ParameterSpec;

public class Scep {

    private static final String BC = "BC";
    private static final String ATTRIBUTE = "2.16.840.1.113733.1.9.";

    private static final ASN1ObjectIdentifier MESSAGE_TYPE = oid("2");
    private static final ASN1ObjectIdentifier PKI_STATUS = oid("3");
    private static final ASN1ObjectIdentifier FAIL_INFO = oid("4");
    private static final ASN1ObjectIdentifier SENDER_NONCE = oid("5");
    private static final ASN1ObjectIdentifier RECIPIENT_NONCE = oid("6");
    private static final ASN1ObjectIdentifier TRANSACTION_ID = oid("7");

    private static final Map<String, String> TYPES = Map.of(
        "renew", "17", "enrol", "19", "poll", "20", "getcert", "21",
        "getcrl", "22");

    private final Map<String, String> options = new HashMap<>();
    private final String url;
    private final byte[] nonce = new byte[16];

    private List<X509CertificateHolder> authorities;
    private X509CertificateHolder authority;
    private X509CertificateHolder recipient;
    private X509CertificateHolder signer;
    private PrivateKey signerKey;
    private PublicKey publicKey;
    private PrivateKey privateKey;

    private static ASN1ObjectIdentifier oid(String last) {
        return new ASN1ObjectIdentifier(ATTRIBUTE + last);
    }

    private Scep(String[] argv) {
        url = argv[1];

        for (String arg : Arrays.asList(argv).subList(2, argv.length)) {
            String[] pair = arg.split("=", 2);

            options.put(pair[0], pair[1]);
        }

        new SecureRandom().nextBytes(nonce);
    }


    /* HTTP */

    private byte[] http(HttpRequest.Builder request, String type)
        throws Exception
    {
        HttpResponse<byte[]> answer = HttpClient.newHttpClient().send(
            request.build(), HttpResponse.BodyHandlers.ofByteArray());
        String got = answer.headers().firstValue("Content-Type").orElse("");

        check(answer.statusCode() == 200, "status " + answer.statusCode());
        check(got.matches(type), "type " + got);

        return answer.body();
    }

    private byte[] get(String operation, String type) throws Exception {
        return http(HttpRequest.newBuilder(
            URI.create(url + "?operation=" + operation)), type);
    }

    private byte[] post(byte[] message) throws Exception {
        return http(HttpRequest.newBuilder(
                URI.create(url + "?operation=PKIOperation"))
            .header("Content-Type", "application/x-pki-message")
            .POST(HttpRequest.BodyPublishers.ofByteArray(message)),
            "application/x-pki-message");
    }


    /* files */

    private static Object read(String name) throws Exception {
        try (PEMParser in = new PEMParser(new FileReader(name))) {
            return in.readObject();
        }
    }

    private static PrivateKey readKey(String name) throws Exception {
        return new JcaPEMKeyConverter().setProvider(BC)
                                       .getPrivateKey((PrivateKeyInfo)
                                                      read(name));
    }

    private void write(Collection<?> what) throws Exception {
        if (options.containsKey("out")) {
            try (JcaPEMWriter out = new JcaPEMWriter(
                     new FileWriter(options.get("out"))))
            {
                for (Object o : what) {
                    out.writeObject(o);
                }
            }
        }
    }

    private static void check(boolean right, String what) {
        if (!right) {
            System.out.println("wrong: " + what);
            System.exit(2);
        }
    }


    /* GetCACert: the RA, if there is one, is who is no authority */

    private List<X509CertificateHolder> certificates(byte[] der)
        throws Exception
    {
        return new ArrayList<>(new CMSSignedData(der).getCertificates()
                                                     .getMatches(null));
    }

    private void authorities() throws Exception {
        byte[] der;

        if (options.containsKey("ca")) {
            authorities = new ArrayList<>();

            try (PEMParser in = new PEMParser(
                     new FileReader(options.get("ca"))))
            {
                Object o;

                while ((o = in.readObject()) != null) {
                    authorities.add((X509CertificateHolder) o);
                }
            }

        } else {
            der = get("GetCACert", "application/x-x509-ca(-ra)?-cert");

            try {
                authorities = List.of(new X509CertificateHolder(der));
            } catch (Exception e) {
                authorities = certificates(der);
            }
        }

        for (X509CertificateHolder c : authorities) {
            if (isAuthority(c)) {
                authority = c;
            }

            if (authorities.size() == 1 || !isAuthority(c)) {
                recipient = c;
            }
        }
    }

    private static boolean isAuthority(X509CertificateHolder c) {
        Extension e = c.getExtension(Extension.basicConstraints);

        return e != null
               && org.bouncycastle.asn1.x509.BasicConstraints
                     .getInstance(e.getParsedValue()).isCA();
    }


    /* who signs: the certificate that is there, or one made for the purpose */

    private String algorithm(PrivateKey k) {
        String digest = "SHA" + options.getOrDefault("digest", "256");

        if (!k.getAlgorithm().equals("RSA")) {
            return digest + "withECDSA";
        }

        return digest + "withRSA"
               + (options.containsKey("pss") ? "andMGF1" : "");
    }

    private ContentSigner contentSigner(PrivateKey k) throws Exception {
        return new JcaContentSignerBuilder(algorithm(k)).setProvider(BC)
                                                        .build(k);
    }

    private void keys() throws Exception {
        if (options.containsKey("key")) {
            privateKey = readKey(options.get("key"));
            publicKey = publicOf(options.get("key"));
        }

        if (options.containsKey("cert")) {
            signer = (X509CertificateHolder) read(options.get("cert"));
            signerKey = readKey(options.get("oldkey"));
            return;
        }

        Date now = new Date();
        JcaX509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(
            subject(), new BigInteger(64, new SecureRandom()),
            new Date(now.getTime() - 3600000),
            new Date(now.getTime() + 3600000), subject(), publicKey);

        builder.addExtension(Extension.keyUsage, true, new KeyUsage(
            KeyUsage.digitalSignature | KeyUsage.keyEncipherment));

        signer = builder.build(contentSigner(privateKey));
        signerKey = privateKey;
    }

    /* "openssl pkey -pubout" of it lies beside it */

    private static PublicKey publicOf(String name) throws Exception {
        return new JcaPEMKeyConverter().setProvider(BC).getPublicKey(
            (org.bouncycastle.asn1.x509.SubjectPublicKeyInfo)
            read(name + ".pub"));
    }

    private X500Name subject() {
        return new X500Name("CN=" + options.get("cn"));
    }


    /* the request */

    private byte[] csr() throws Exception {
        JcaPKCS10CertificationRequestBuilder builder =
            new JcaPKCS10CertificationRequestBuilder(subject(), publicKey);

        if (options.containsKey("challenge")) {
            builder.addAttribute(
                PKCSObjectIdentifiers.pkcs_9_at_challengePassword,
                new DERUTF8String(options.get("challenge")));
        }

        if (options.containsKey("san")) {
            ExtensionsGenerator extensions = new ExtensionsGenerator();

            extensions.addExtension(Extension.subjectAlternativeName, false,
                new GeneralNames(new GeneralName(GeneralName.dNSName,
                                                 options.get("san"))));
            builder.addAttribute(
                PKCSObjectIdentifiers.pkcs_9_at_extensionRequest,
                extensions.generate());
        }

        return builder.build(contentSigner(privateKey)).getEncoded();
    }

    private byte[] content(String operation) throws Exception {
        X509CertificateHolder of;

        switch (operation) {

        case "poll":
            return new DERSequence(new ASN1Encodable[] {
                authority.getSubject(), subject()
            }).getEncoded();

        case "getcert":
        case "getcrl":
            of = (X509CertificateHolder) read(options.get("of"));
            return new IssuerAndSerialNumber(of.getIssuer(),
                                             of.getSerialNumber())
                .getEncoded(ASN1Encoding.DER);

        default:
            return csr();
        }
    }

    private AlgorithmIdentifier oaep() throws Exception {
        OAEPParameterSpec spec = new OAEPParameterSpec(
            "SHA-256", "MGF1",
            options.getOrDefault("mgf1", "256").equals("1")
            ? MGF1ParameterSpec.SHA1 : MGF1ParameterSpec.SHA256,
            PSource.PSpecified.DEFAULT);

        return new JcaAlgorithmParametersConverter().getAlgorithmIdentifier(
            PKCSObjectIdentifiers.id_RSAES_OAEP, spec);
    }

    private CMSEnvelopedData envelope(byte[] content) throws Exception {
        CMSEnvelopedDataGenerator generator = new CMSEnvelopedDataGenerator();
        java.security.cert.X509Certificate to =
            new JcaX509CertificateConverter().setProvider(BC)
                                             .getCertificate(recipient);

        generator.addRecipientInfoGenerator(
            (options.getOrDefault("wrap", "pkcs1").equals("oaep")
             ? new JceKeyTransRecipientInfoGenerator(to, oaep())
             : new JceKeyTransRecipientInfoGenerator(to)).setProvider(BC));

        return generator.generate(
            new CMSProcessableByteArray(content),
            new JceCMSContentEncryptorBuilder(
                options.getOrDefault("cipher", "aes128").equals("aes256")
                ? CMSAlgorithm.AES256_CBC : CMSAlgorithm.AES128_CBC)
            .setProvider(BC).build());
    }

    private String form() {
        return options.getOrDefault("form", "ber").equals("der")
               ? ASN1Encoding.DER : ASN1Encoding.BER;
    }

    /* of the new key, so that a poll has that of its request */

    private String transaction() throws Exception {
        PublicKey of = publicKey;

        if (of == null) {
            return Hex.toHexString(nonce);
        }

        return Hex.toHexString(MessageDigest.getInstance("SHA-1")
                                            .digest(of.getEncoded()));
    }

    private static void put(ASN1EncodableVector v, ASN1ObjectIdentifier type,
        ASN1Encodable value)
    {
        v.add(new Attribute(type, new DERSet(value)));
    }

    private byte[] message(String operation) throws Exception {
        ASN1EncodableVector v = new ASN1EncodableVector();
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();

        put(v, MESSAGE_TYPE, new DERPrintableString(TYPES.get(operation)));
        put(v, TRANSACTION_ID, new DERPrintableString(transaction()));
        put(v, SENDER_NONCE, new DEROctetString(nonce));

        generator.addSignerInfoGenerator(
            new JcaSignerInfoGeneratorBuilder(
                new JcaDigestCalculatorProviderBuilder().setProvider(BC)
                                                        .build())
            .setSignedAttributeGenerator(
                new DefaultSignedAttributeTableGenerator(
                    new AttributeTable(v)))
            .build(contentSigner(signerKey), signer));

        generator.addCertificates(new JcaCertStore(List.of(signer)));

        return generator.generate(
                new CMSProcessableByteArray(
                    envelope(content(operation)).toASN1Structure()
                                                .getEncoded(form())), true)
            .toASN1Structure().getEncoded(form());
    }


    /* the answer */

    private static String text(AttributeTable attributes,
        ASN1ObjectIdentifier type)
    {
        Attribute a = attributes.get(type);

        return a == null ? null
               : ((ASN1String) a.getAttrValues().getObjectAt(0)).getString();
    }

    private void verify(CMSSignedData answer, X509CertificateHolder by)
        throws Exception
    {
        List<SignerInformation> signers =
            new ArrayList<>(answer.getSignerInfos().getSigners());

        check(signers.size() == 1, "signers");
        check(signers.get(0).verify(new JcaSimpleSignerInfoVerifierBuilder()
                                    .setProvider(BC).build(by)), "signature");
    }

    private byte[] open(byte[] der) throws Exception {
        CMSEnvelopedData envelope = new CMSEnvelopedData(der);
        List<RecipientInformation> recipients = new ArrayList<>(
            envelope.getRecipientInfos().getRecipients());
        RecipientInformation info = recipients.get(0);
        Recipient by;

        check(recipients.size() == 1, "recipients");

        if (info instanceof PasswordRecipientInformation) {
            by = new JcePasswordEnvelopedRecipient(
                options.get("challenge").toCharArray())
                .setPasswordConversionScheme(
                    PasswordRecipient.PKCS5_SCHEME2_UTF8)
                .setProvider(BC);

        } else {
            by = new JceKeyTransEnvelopedRecipient(signerKey).setProvider(BC);
        }

        System.out.println("recipient "
                           + info.getKeyEncryptionAlgOID() + ", content "
                           + envelope.getEncryptionAlgOID());

        return info.getContent(by);
    }

    private void answer(String operation, byte[] der) throws Exception {
        CMSSignedData answer = new CMSSignedData(der);
        AttributeTable attributes;
        String status;

        verify(answer, recipient);

        attributes = answer.getSignerInfos().iterator().next()
                           .getSignedAttributes();
        status = text(attributes, PKI_STATUS);

        check("3".equals(text(attributes, MESSAGE_TYPE)), "messageType");
        check(transaction().equals(text(attributes, TRANSACTION_ID)),
              "transactionID");
        check(Arrays.equals(nonce, ((ASN1OctetString)
                  attributes.get(RECIPIENT_NONCE).getAttrValues()
                            .getObjectAt(0)).getOctets()), "recipientNonce");
        check(attributes.get(SENDER_NONCE) != null, "senderNonce");
        check(attributes.get(CMSAttributes.messageDigest) != null, "digest");

        if (!status.equals("0")) {
            System.out.println(status.equals("3") ? "PENDING"
                               : "FAILURE " + text(attributes, FAIL_INFO));
            System.exit(1);
        }

        success(operation, new CMSSignedData(
            open((byte[]) answer.getSignedContent().getContent())));
        System.out.println("SUCCESS");
    }

    private void success(String operation, CMSSignedData degenerate)
        throws Exception
    {
        Collection<X509CertificateHolder> certificates =
            degenerate.getCertificates().getMatches(null);
        Collection<X509CRLHolder> crls = degenerate.getCRLs().getMatches(null);

        if (operation.equals("getcrl")) {
            check(crls.size() == 1 && certificates.isEmpty(), "one CRL");
            write(crls);
            return;
        }

        check(certificates.size() == 1 && crls.isEmpty(), "one certificate");

        if (!operation.equals("getcert")) {
            check(certificates.iterator().next().getSubjectPublicKeyInfo()
                  .equals(org.bouncycastle.asn1.x509.SubjectPublicKeyInfo
                          .getInstance(publicKey.getEncoded())), "key");
        }

        write(certificates);
    }


    /* signed by the authority as it is now */

    private void next() throws Exception {
        CMSSignedData answer = new CMSSignedData(
            get("GetNextCACert", "application/x-x509-next-ca-cert"));

        verify(answer, authority);
        write(certificates((byte[]) answer.getSignedContent().getContent()));
        System.out.println("SUCCESS");
    }

    private void run(String operation) throws Exception {
        authorities();

        switch (operation) {

        case "ca":
            write(authorities);
            System.out.println("SUCCESS");
            break;

        case "next":
            next();
            break;

        default:
            keys();
            answer(operation, post(message(operation)));
        }
    }

    public static void main(String[] argv) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        new Scep(argv).run(argv[0]);
    }
}
