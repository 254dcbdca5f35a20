/*
 * Java's own revocation checker, PKIXRevocationChecker, asked of one
 * certificate, by OCSP alone:
 *
 *     java Rev.java CA-FILE CERTIFICATE-FILE hard|soft [RESPONDER-URL]
 *
 * prints "accepted", with what it had to overlook, or "rejected", with the
 * reason, and exits 0 or 1.  Without a URL the certificate says who to ask.
 */

import java.io.FileInputStream;
import java.io.InputStream;
import java.net.URI;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateRevokedException;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.PKIXRevocationChecker.Option;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
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

    private static Set<Option> options(boolean soft) {
        Set<Option> options = EnumSet.of(Option.NO_FALLBACK,
                                         Option.ONLY_END_ENTITY);

        if (soft) {
            options.add(Option.SOFT_FAIL);
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

        checker.setOptions(options(argv[2].equals("soft")));

        if (argv.length > 3) {
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
