// A test plugin for the bare Elasticsearch 8 package, which publishes few of its modules. It answers
// what a log shipper asks a complete server at start: GET and HEAD /, GET and PUT /_ilm/policy/NAME
// (parsed, checked and kept by x-pack-core's own classes; nothing runs the policies), GET and DELETE
// /_data_stream/NAME, and it registers the index settings of ILM and the analysis parts of the
// security index, without which the server makes no API keys.
package test.spate;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.elasticsearch.Build;
import org.elasticsearch.ResourceNotFoundException;
import org.elasticsearch.action.support.master.AcknowledgedResponse;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.ClusterStateUpdateTask;
import org.elasticsearch.cluster.metadata.DataStream;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.metadata.Metadata;
import org.elasticsearch.cluster.metadata.MetadataDeleteIndexService;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.regex.Regex;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.IndexScopedSettings;
import org.elasticsearch.common.settings.Setting;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter;
import org.elasticsearch.core.CheckedFunction;
import org.elasticsearch.core.TimeValue;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.Index;
import org.elasticsearch.index.IndexNotFoundException;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestRequest.Method;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.rest.action.RestToXContentListener;
import org.elasticsearch.xcontent.NamedXContentRegistry;
import org.elasticsearch.xcontent.ParseField;
import org.elasticsearch.xcontent.ToXContent;
import org.elasticsearch.xcontent.XContentBuilder;
import org.elasticsearch.xcontent.XContentParser;
import org.elasticsearch.xpack.core.ilm.AllocateAction;
import org.elasticsearch.xpack.core.ilm.DeleteAction;
import org.elasticsearch.xpack.core.ilm.ForceMergeAction;
import org.elasticsearch.xpack.core.ilm.IndexLifecycleMetadata;
import org.elasticsearch.xpack.core.ilm.LifecycleAction;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicy;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicyMetadata;
import org.elasticsearch.xpack.core.ilm.LifecycleSettings;
import org.elasticsearch.xpack.core.ilm.LifecycleType;
import org.elasticsearch.xpack.core.ilm.OperationMode;
import org.elasticsearch.xpack.core.ilm.ReadOnlyAction;
import org.elasticsearch.xpack.core.ilm.RolloverAction;
import org.elasticsearch.xpack.core.ilm.SetPriorityAction;
import org.elasticsearch.xpack.core.ilm.ShrinkAction;
import org.elasticsearch.xpack.core.ilm.TimeseriesLifecycleType;
import org.elasticsearch.xpack.core.ilm.action.PutLifecycleRequest;

public class Kit extends Plugin implements ActionPlugin, AnalysisPlugin {
    private ClusterService cluster;
    private Settings settings;

    // One endpoint: a name, where it listens and what it does.
    private interface Answer {
        void give(RestRequest request, XContentParser body, RestChannel to) throws Exception;
    }

    private static final class Endpoint extends BaseRestHandler {
        private final String name;
        private final Route route;
        private final Answer answer;

        Endpoint(String name, Method method, String path, Answer answer) {
            this.name = name;
            this.route = new Route(method, path);
            this.answer = answer;
        }

        @Override
        public String getName() {
            return name;
        }

        @Override
        public List<Route> routes() {
            return List.of(route);
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) throws IOException {
            // Parameters and body must be touched here, or the server calls them unrecognised.
            request.param("name");
            XContentParser body = request.hasContent() ? request.contentParser() : null;
            return channel -> {
                try (body) {
                    answer.give(request, body, channel);
                } catch (Exception e) {
                    channel.sendResponse(new RestResponse(channel, e));
                }
            };
        }
    }

    @Override
    public Collection<?> createComponents(PluginServices services) {
        cluster = services.clusterService();
        return List.of();
    }

    @Override
    public Collection<RestHandler> getRestHandlers(Settings nodeSettings, NamedWriteableRegistry writeables, RestController rest,
            ClusterSettings clusterSettings, IndexScopedSettings indexSettings, SettingsFilter filter,
            IndexNameExpressionResolver resolver, Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> features) {
        settings = nodeSettings;
        return List.of(new Endpoint("kit_root", Method.GET, "/", this::root),
            new Endpoint("kit_root_head", Method.HEAD, "/", this::root),
            new Endpoint("kit_ilm_get", Method.GET, "/_ilm/policy/{name}", this::policyGet),
            new Endpoint("kit_ilm_put", Method.PUT, "/_ilm/policy/{name}", this::policyPut),
            new Endpoint("kit_streams_get", Method.GET, "/_data_stream/{name}", this::streamsGet),
            new Endpoint("kit_streams_delete", Method.DELETE, "/_data_stream/{name}", this::streamsDelete));
    }

    private void root(RestRequest request, XContentParser body, RestChannel to) throws Exception {
        Build build = Build.current();
        XContentBuilder x = to.newBuilder().startObject();
        x.field("name", settings.get("node.name"));
        x.field("cluster_name", cluster.getClusterName().value());
        x.field("cluster_uuid", cluster.state().metadata().clusterUUID());
        x.startObject("version").field("number", build.qualifiedVersion()).field("build_flavor", build.flavor());
        x.field("build_snapshot", build.isSnapshot()).endObject();
        to.sendResponse(new RestResponse(RestStatus.OK, x.field("tagline", "You Know, for Search").endObject()));
    }

    // Submits one change of the cluster state and answers "acknowledged" when it is applied.
    private void change(String what, RestChannel to, UnaryOperator<ClusterState> step) {
        RestToXContentListener<AcknowledgedResponse> done = new RestToXContentListener<>(to);
        cluster.submitUnbatchedStateUpdateTask(what, new ClusterStateUpdateTask() {
            @Override
            public ClusterState execute(ClusterState before) {
                return step.apply(before);
            }

            @Override
            public void clusterStateProcessed(ClusterState before, ClusterState after) {
                done.onResponse(AcknowledgedResponse.TRUE);
            }

            @Override
            public void onFailure(Exception e) {
                done.onFailure(e);
            }
        });
    }

    private static SortedMap<String, LifecyclePolicyMetadata> policies(ClusterState state) {
        return new TreeMap<>(state.metadata().custom(IndexLifecycleMetadata.TYPE, IndexLifecycleMetadata.EMPTY).getPolicyMetadatas());
    }

    private void policyGet(RestRequest request, XContentParser body, RestChannel to) throws Exception {
        String name = request.param("name");
        LifecyclePolicyMetadata found = policies(cluster.state()).get(name);
        if (found == null) throw new ResourceNotFoundException("Lifecycle policy not found: {}", name);
        XContentBuilder x = to.newBuilder().startObject().startObject(name).field("version", found.getVersion());
        x.field("modified_date", found.getModifiedDateString()).field("policy", found.getPolicy()).endObject();
        to.sendResponse(new RestResponse(RestStatus.OK, x.endObject()));
    }

    private void policyPut(RestRequest request, XContentParser body, RestChannel to) throws Exception {
        String name = request.param("name");
        LifecyclePolicy.validatePolicyName(name);
        LifecyclePolicy policy = PutLifecycleRequest.parseRequest(new PutLifecycleRequest.Factory() {
            @Override
            public PutLifecycleRequest create(LifecyclePolicy parsed) {
                return new PutLifecycleRequest(TimeValue.timeValueSeconds(30), TimeValue.timeValueSeconds(30), parsed);
            }

            @Override
            public String getPolicyName() {
                return name;
            }
        }, body).getPolicy();
        policy.validate();
        change("put policy " + name, to, before -> {
            SortedMap<String, LifecyclePolicyMetadata> all = policies(before);
            long version = all.containsKey(name) ? all.get(name).getVersion() + 1 : 1;
            all.put(name, new LifecyclePolicyMetadata(policy, Map.of(), version, System.currentTimeMillis()));
            Metadata.Builder metadata = Metadata.builder(before.metadata());
            metadata.putCustom(IndexLifecycleMetadata.TYPE, new IndexLifecycleMetadata(all, OperationMode.RUNNING));
            return ClusterState.builder(before).metadata(metadata).build();
        });
    }

    private static List<DataStream> streams(ClusterState state, String name) {
        String[] wanted = name.split(",");
        List<DataStream> found = new ArrayList<>();
        for (DataStream stream : state.metadata().dataStreams().values()) {
            if (Regex.simpleMatch(wanted, stream.getName())) found.add(stream);
        }
        if (found.isEmpty() && name.indexOf('*') < 0) throw new IndexNotFoundException(name);
        return found;
    }

    private void streamsGet(RestRequest request, XContentParser body, RestChannel to) throws Exception {
        XContentBuilder x = to.newBuilder().startObject().startArray("data_streams");
        for (DataStream stream : streams(cluster.state(), request.param("name"))) stream.toXContent(x, ToXContent.EMPTY_PARAMS);
        to.sendResponse(new RestResponse(RestStatus.OK, x.endArray().endObject()));
    }

    private void streamsDelete(RestRequest request, XContentParser body, RestChannel to) {
        String name = request.param("name");
        change("delete data streams " + name, to, before -> {
            Metadata.Builder metadata = Metadata.builder(before.metadata());
            Set<Index> backing = new HashSet<>();
            for (DataStream stream : streams(before, name)) {
                backing.addAll(stream.getIndices());
                metadata.removeDataStream(stream.getName());
            }
            return MetadataDeleteIndexService.deleteIndices(ClusterState.builder(before).metadata(metadata).build(), backing, settings);
        });
    }

    @Override
    public List<Setting<?>> getSettings() {
        return List.of(LifecycleSettings.LIFECYCLE_NAME_SETTING, LifecycleSettings.LIFECYCLE_INDEXING_COMPLETE_SETTING,
            LifecycleSettings.LIFECYCLE_SKIP_SETTING, LifecycleSettings.LIFECYCLE_POLL_INTERVAL_SETTING,
            RolloverAction.LIFECYCLE_ROLLOVER_ALIAS_SETTING);
    }

    private static NamedXContentRegistry.Entry action(String name, CheckedFunction<XContentParser, LifecycleAction, IOException> parse) {
        return new NamedXContentRegistry.Entry(LifecycleAction.class, new ParseField(name), parse);
    }

    @Override
    public List<NamedXContentRegistry.Entry> getNamedXContent() {
        return List.of(
            new NamedXContentRegistry.Entry(Metadata.Custom.class, new ParseField(IndexLifecycleMetadata.TYPE),
                p -> IndexLifecycleMetadata.PARSER.parse(p, null)),
            new NamedXContentRegistry.Entry(LifecycleType.class, new ParseField(TimeseriesLifecycleType.TYPE),
                (p, context) -> TimeseriesLifecycleType.INSTANCE),
            action(RolloverAction.NAME, RolloverAction::parse), action(DeleteAction.NAME, DeleteAction::parse),
            action(AllocateAction.NAME, AllocateAction::parse), action(ForceMergeAction.NAME, ForceMergeAction::parse),
            action(ReadOnlyAction.NAME, ReadOnlyAction::parse), action(ShrinkAction.NAME, ShrinkAction::parse),
            action(SetPriorityAction.NAME, SetPriorityAction::parse));
    }

    private static TokenFilterFactory tokenFilter(String name, UnaryOperator<TokenStream> wrap) {
        return new TokenFilterFactory() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public TokenStream create(TokenStream in) {
                return wrap.apply(in);
            }
        };
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        AnalysisProvider<TokenFilterFactory> capture = AnalysisPlugin.requiresAnalysisSettings((index, env, name, options) -> {
            Pattern[] patterns = options.getAsList("patterns").stream().map(Pattern::compile).toArray(Pattern[]::new);
            boolean keep = options.getAsBoolean("preserve_original", true);
            return tokenFilter(name, in -> new PatternCaptureGroupTokenFilter(in, keep, patterns));
        });
        return Map.of("pattern_capture", capture,
            "unique", (index, env, name, options) -> tokenFilter(name, RemoveDuplicatesTokenFilter::new));
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of("uax_url_email", (index, env, name, options) -> TokenizerFactory.newFactory(name, UAX29URLEmailTokenizer::new));
    }
}
