package citebot_test;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** One node, until SIGTERM: TestNode HOME setting=value... */
public class TestNode {
    public static void main(String[] args) throws Exception {
        Map<String, String> settings = new HashMap<>();
        for (String each : Arrays.asList(args).subList(1, args.length)) {
            settings.put(each.split("=", 2)[0], each.split("=", 2)[1]);
        }
        var home = Settings.builder().put("path.home", args[0]).build();
        var env = InternalSettingsPreparer.prepareEnvironment(home, settings, Path.of(args[0], "config"), () -> "node");
        LogConfigurator.setNodeName(Node.NODE_NAME_SETTING.get(env.settings()));
        LogConfigurator.configure(env, true);
        Node node = new Node(env, PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(env.modulesDir(), false),
            PluginsLoader.loadPluginsBundles(env.pluginsDir(), false), Map.of(), false));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.prepareForClose();
                node.close();
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        node.start();
        new CountDownLatch(1).await();
    }
}
