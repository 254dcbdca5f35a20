/*
 * Java's own revocation checker, PKIXRevocationChecker, asked of one
 * certificate, by OCSP alone or by CRLs alone:
 *
 *     java Rev.java CA-FILE CERTIFICATE-FILE hard|soft [RESPONDER-URL]
 *     java Rev.java CA-FILE CERTIFICATE-FILE crl [CRL-FILE ...]
 *
 * prints "accepted", with what it had to overlook, or "rejected", with the
 * reason, and exits 0 or 1.  Without a URL the certificate says who to ask, and
 * where its CRL is, unless one of those in files will do.
 */

import java.io.FileInputStream;
import java.io.InputStream;
import java.net.URI;
import java.security.cert.CRL;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateRevokedException;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.PKIXRevocationChecker.Option;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

public class Rev {

    private static X509Certificate read(String name) throws Exception {
        try (InputStream in = new FileInputStream(name)) {
            return (X509Certificate) CertificateFactory.getInstance("X.509")
                                                       .generateCertificate(in);
        }
    }

    private static CertStore crls(String[] argv) throws Exception {
        List<CRL> list = new ArrayList<>();

        for (int i = 3; i < argv.length; i++) {
            try (InputStream in = new FileInputStream(argv[i])) {
                list.add(CertificateFactory.getInstance("X.509")
                                           .generateCRL(in));
            }
        }

        return CertStore.getInstance("Collection",
                                     new CollectionCertStoreParameters(list));
    }

    private static Set<Option> options(String mode) {
        Set<Option> options = EnumSet.of(Option.NO_FALLBACK,
                                         Option.ONLY_END_ENTITY);

        if (mode.equals("soft")) {
            options.add(Option.SOFT_FAIL);
        }

        if (mode.equals("crl")) {
            options.add(Option.PREFER_CRLS);
        }

        return options;
    }

    private static String why(CertPathValidatorException e) {
        if (e.getCause() instanceof CertificateRevokedException) {
            CertificateRevokedException revoked =
                (CertificateRevokedException) e.getCause();

            return "REVOKED " + revoked.getRevocationReason();
        }

        return e.getReason() + ": " + e.getMessage();
    }

    public static void main(String[] argv) throws Exception {
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXRevocationChecker checker =
            (PKIXRevocationChecker) validator.getRevocationChecker();
        TrustAnchor anchor = new TrustAnchor(read(argv[0]), null);
        PKIXParameters params = new PKIXParameters(Set.of(anchor));
        CertPath path = CertificateFactory.getInstance("X.509")
            .generateCertPath(List.of(read(argv[1])));

        checker.setOptions(options(argv[2]));

        if (argv[2].equals("crl")) {
            params.addCertStore(crls(argv));

        } else if (argv.length > 3) {
            checker.setOcspResponder(new URI(argv[3]));
        }

        params.addCertPathChecker(checker);

        try {
            validator.validate(path, params);
            System.out.println("accepted");

            for (CertPathValidatorException e : checker.getSoftFailExceptions())
            {
                System.out.println("overlooked: " + why(e));
            }

        } catch (CertPathValidatorException e) {
            System.out.println("rejected: " + why(e));
            System.exit(1);
        }
    }
}
