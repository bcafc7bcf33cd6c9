import java.util.List;
import java.util.Properties;
import java.io.FileReader;
import java.util.TreeMap;
import org.eclipse.dataspacetck.core.system.ConsoleMonitor;
import org.eclipse.dataspacetck.dsp.system.DspSystemLauncher;
import org.eclipse.dataspacetck.runtime.TckRuntime;

/** Runs the packages named after the file of properties; prints what failed, and the plain counts. */
public class Tck {
    public static void main(String[] given) throws Exception {
        var properties = new Properties();
        properties.load(new FileReader(given[0]));
        var builder = TckRuntime.Builder.newInstance().launcher(DspSystemLauncher.class)
            .monitor(new ConsoleMonitor(false, false));
        properties.forEach((name, value) -> builder.property((String) name, (String) value));
        for (var name : List.of(given).subList(2, given.length)) {
            builder.addPackage(name);
        }
        var summary = builder.displayNameMatching(name -> name.matches(given[1])).build().execute();
        for (var failure : summary.getFailures()) {
            System.out.println("FAILED " + failure.getTestIdentifier().getDisplayName() + " :: " + failure.getException());
        }
        System.out.printf("%d passed, %d failed%n", summary.getTestsSucceededCount(), summary.getTestsFailedCount());
        System.exit(0);
    }
}
