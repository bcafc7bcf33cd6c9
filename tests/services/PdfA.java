import java.io.FileInputStream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/** Validates files against PDF/A-3b with veraPDF's library; a line for each failed rule, exit code 1 if there is one. */
public class PdfA {
    public static void main(String[] files) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        PDFAFlavour flavour = PDFAFlavour.fromString("3b");
        boolean all = true;
        for (String file : files) {
            try (PDFAParser parser = Foundries.defaultInstance().createParser(new FileInputStream(file), flavour);
                 PDFAValidator validator = Foundries.defaultInstance().createValidator(flavour, false)) {
                ValidationResult result = validator.validate(parser);
                all &= result.isCompliant() && result.getTotalAssertions() > 0;
                System.out.println(file + " compliant=" + result.isCompliant() + " checks=" + result.getTotalAssertions());
                for (TestAssertion found : result.getTestAssertions()) {
                    System.out.println("  " + found.getRuleId().getClause() + "-" + found.getRuleId().getTestNumber()
                        + " " + found.getMessage() + " @ " + found.getLocation().getContext());
                }
            }
        }
        System.exit(all ? 0 : 1);
    }
}
