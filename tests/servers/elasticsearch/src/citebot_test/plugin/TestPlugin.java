package citebot_test.plugin;

import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;

import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.de.GermanAnalyzer;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.fr.FrenchAnalyzer;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.analysis.AbstractIndexAnalyzerProvider;
import org.elasticsearch.index.analysis.AnalyzerProvider;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;

/** What a release has and the bare server lacks, as far as Citebot uses it: analyzers of languages, and GET /. */
public class TestPlugin extends Plugin implements AnalysisPlugin, ActionPlugin {
    private volatile ClusterService cluster;

    @Override
    public Collection<?> createComponents(PluginServices services) {
        cluster = services.clusterService();
        return List.of();
    }

    @Override
    public Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> getAnalyzers() {
        Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> found = new HashMap<>();
        found.put("english", provider(EnglishAnalyzer::new));
        found.put("german", provider(GermanAnalyzer::new));
        found.put("french", provider(FrenchAnalyzer::new));
        return found;
    }

    private static <A extends Analyzer> AnalysisProvider<AnalyzerProvider<? extends Analyzer>> provider(Supplier<A> make) {
        return (index, environment, name, settings) -> new AbstractIndexAnalyzerProvider<A>(name) {
            private final A analyzer = make.get();

            @Override
            public A get() {
                return analyzer;
            }
        };
    }

    @Override
    public Collection<RestHandler> getRestHandlers(
        RestHandlersServices services, Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> features) {
        return List.of(new Root());
    }

    /** Without it the clients' check of the product gets 405. */
    private class Root implements RestHandler {
        @Override
        public List<Route> routes() {
            return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
        }

        @Override
        public void handleRequest(RestRequest request, RestChannel channel, NodeClient client) throws Exception {
            Map<String, Object> version = Map.of("number", Build.current().qualifiedVersion(), "build_flavor", "default");
            Map<String, Object> body = Map.of(
                "name", cluster.getNodeName(),
                "cluster_name", cluster.getClusterName().value(),
                "cluster_uuid", cluster.state().metadata().clusterUUID(),
                "version", version,
                "tagline", "You Know, for Search");
            channel.sendResponse(new RestResponse(RestStatus.OK, channel.newBuilder().map(body)));
        }
    }
}
