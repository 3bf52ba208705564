# aggregate.rb - the aggregate filter: maps per task, kept over events.

module LogStash
  module Filters
    class Aggregate < Base
      TIMEOUT_DEFAULT_SEC = 1800
      TIMEOUT_OPTIONS = %w[timeout inactivity_timeout timeout_code push_map_as_event_on_timeout
                           push_previous_map_as_event timeout_timestamp_field timeout_task_id_field
                           timeout_tags].freeze

      # One task: its map, and what a script may know and change about it.
      class Task
        attr_accessor :creation_timestamp, :lastevent_timestamp, :timeout, :inactivity_timeout, :map,
                      :task_id, :creation_lag, :last_lag

        def initialize(task_id, now)
          @task_id = task_id
          @creation_timestamp = @lastevent_timestamp = now
          @creation_lag = @last_lag = 0
          @map = {}
        end

        def [](name)
          public_send(name)
        end

        def []=(name, value)
          public_send("#{name}=", value)
        end
      end

      # What the aggregate filters of a running pipeline have in common. While a configuration is
      # reloaded, the old ones are there beside the new ones: each have their own.
      class Shared
        attr_reader :tasks, :owners, :flushed
        attr_reader :path
        attr_accessor :default_timeout, :members

        def initialize
          @members = 0
          @tasks = {}   # task_id pattern => { task id => Task }
          @owners = {}  # task_id pattern => the filter that has the timeout options
          @flushed = {} # task_id pattern => when timeouts were last looked at
          @path = nil
          @pending = false
        end

        def path=(path)
          @path = path
          @pending = true
        end

        # At the first event. The filters before a reload are still there then, and have seen their
        # last event: their maps are taken over without the file.
        def load(logger)
          return unless @pending
          @pending = false
          before = Aggregate.pipelines.each_value.find { |other| other.path == @path && other != self }
          if before
            @tasks.merge!(before.tasks)
            before.tasks.each_key { |pattern| before.tasks[pattern] = {} }
          elsif File.exist?(@path)
            @tasks.merge!(Marshal.load(File.binread(@path)))
            File.delete(@path)
            logger.info("Aggregate maps loaded from : #{@path}")
          end
        end

        def store(logger)
          kept = @tasks.reject { |_pattern, tasks| tasks.empty? }
          return if kept.empty?
          File.binwrite(@path, Marshal.dump(kept))
          logger.info("Aggregate maps stored to : #{@path}")
        end
      end

      @pipelines = {}
      class << self
        attr_reader :pipelines

        def check(definition)
          texts(definition).each do |text, name|
            RubyVM::InstructionSequence.compile(text, "(aggregate filter #{name})", nil, 0)
          end
        end

        def texts(definition)
          texts = [["lambda do |event, map, map_meta, &new_event_block|\n#{definition["code"]}\nend",
                    "code"]]
          code = definition["timeout_code"]
          texts << ["lambda do |event, map_meta|\n#{code}\nend", "timeout code"] if code
          texts
        end
      end

      attr_accessor :timeout, :inactivity_timeout, :always_look

      def pushes_timeout?
        @push_timeout
      end

      def initialize(definition)
        super
        @pattern = definition["task_id"]
        @action = definition["map_action"]
        @timeout = definition["timeout"]
        @inactivity_timeout = definition["inactivity_timeout"]
        @push_timeout = definition["push_map_as_event_on_timeout"]
        @push_previous = definition["push_previous_map_as_event"]
        @time_field = definition["timeout_timestamp_field"]
        @code, @timeout_code = Aggregate.texts(definition).map do |text, name|
          eval(text, binding, "(aggregate filter #{name})", 0)
        end
        @key = definition.values_at("pipeline", "generation")
        @shared = Aggregate.pipelines[@key] ||= Shared.new
        @shared.members += 1
        join
      rescue ConfigurationError
        leave
        raise
      end

      def filter(event, &block)
        id = event.sprintf(@pattern)
        return if id == @pattern
        @shared.load(@logger)
        tasks = @shared.tasks[@pattern]
        fresh = @time_field ? expired_by(event, tasks, id) : nil
        task = tasks[id]
        if task.nil?
          return if @action == "update"
          fresh = shift(tasks) if @push_previous && !tasks.empty?
          task = tasks[id] = Task.new(id, now_for(event))
          task.creation_lag = (Time.now - task.creation_timestamp).to_i
        elsif @action == "create"
          return
        end
        task.lastevent_timestamp = now_for(event)
        task.last_lag = (Time.now - task.lastevent_timestamp).to_i
        run_code(event, task, &block)
        fresh = ended(tasks, task, fresh)
        yield fresh unless fresh.nil?
      end

      # About every five seconds, and at the end: the events of maps whose time is over.
      def tick(last)
        @shared.load(@logger)
        owner = adopt_pattern
        tasks = @shared.tasks[@pattern]
        return [] unless owner.equal?(self) && !tasks.nil?
        flushed = @shared.flushed[@pattern]
        return [] unless flushed.nil? || last || @always_look || Time.now > flushed + @inactivity_timeout / 2
        events = expire(tasks)
        events << shift(tasks) if last && @push_previous && !tasks.empty?
        events.each { |event| event.tag("_aggregatefinalflush") } if last
        @shared.flushed[@pattern] = Time.now
        events
      end

      def close
        @shared.store(@logger) if @config["aggregate_maps_path"]
        leave
      end

      private

      def leave
        @shared.owners.delete(@pattern) if @shared.owners[@pattern].equal?(self)
        @shared.members -= 1
        Aggregate.pipelines.delete(@key) if @shared.members == 0
      end

      def join
        timed = TIMEOUT_OPTIONS.any? { |name| option?(@config[name]) }
        if timed && @shared.owners.key?(@pattern)
          raise ConfigurationError, "Aggregate plugin: For task_id pattern '#{@pattern}', there are more " \
                                    "than one filter which defines timeout options"
        end
        @shared.owners[@pattern] = self if timed
        if @timeout && (@shared.default_timeout.nil? || @timeout < @shared.default_timeout)
          @shared.default_timeout = @timeout
        end
        limit = @timeout || @shared.default_timeout
        if @inactivity_timeout && limit && @inactivity_timeout > limit
          raise ConfigurationError, "Aggregate plugin: For task_id pattern #{@pattern}, inactivity_timeout " \
                                    "must be lower than timeout"
        end
        if @config["aggregate_maps_path"]
          if @shared.path
            raise ConfigurationError, "Aggregate plugin: Option 'aggregate_maps_path' must be set on only " \
                                      "one aggregate filter"
          end
          @shared.path = @config["aggregate_maps_path"]
        end
        @shared.tasks[@pattern] ||= {}
      end

      def option?(value)
        value && value != []
      end

      def now_for(event)
        value = @time_field && event.get(@time_field)
        value.is_a?(Timestamp) ? value.time : Time.now
      end

      def run_code(event, task, &block)
        @code.call(event, task.map, task, &block)
        @outcome |= MATCHED
      rescue StandardError, ScriptError => e
        @outcome |= FAILED
        report("Aggregate exception occurred: #{e.message}", e)
        event.tag("_aggregateexception")
      end

      # The task is over, because the filter says so or because the script took its time away.
      def ended(tasks, task, fresh)
        tasks.delete(task.task_id) if @config["end_of_task"]
        return fresh unless task.timeout || task.inactivity_timeout
        owner = adopt_pattern
        if task.timeout == 0 || task.inactivity_timeout == 0
          tasks.delete(task.task_id)
          return owner.pushes_timeout? ? pushed(task) : fresh
        end
        owner.always_look = true
        fresh
      end

      # With time taken from events, a task may be over before this event of it.
      def expired_by(event, tasks, id)
        task = tasks[id]
        return nil if task.nil?
        adopt_pattern
        now = now_for(event)
        over = task.creation_timestamp < now - (task.timeout || @timeout) ||
               task.lastevent_timestamp < now - (task.inactivity_timeout || @inactivity_timeout)
        return nil unless over
        tasks.delete(id)
        @push_previous || @push_timeout ? pushed(task) : nil
      end

      # The filter that looks after the timeouts of this pattern, all of them known.
      def adopt_pattern
        @shared.default_timeout ||= TIMEOUT_DEFAULT_SEC
        owner = @shared.owners[@pattern] ||= self
        owner.timeout ||= @shared.default_timeout
        owner.inactivity_timeout ||= owner.timeout
        owner
      end

      def expire(tasks)
        now = Time.now
        over = tasks.select do |_id, task|
          task.creation_timestamp + task.creation_lag < now - (task.timeout || @timeout) ||
            task.lastevent_timestamp + task.last_lag <
              now - (task.inactivity_timeout || @inactivity_timeout)
        end
        over.each_key { |id| tasks.delete(id) }
        @always_look = false if tasks.empty?
        @push_previous || @push_timeout ? over.each_value.map { |task| pushed(task) } : []
      end

      def shift(tasks)
        pushed(tasks.shift[1])
      end

      def pushed(task)
        event = Event.new(task.map)
        field = @config["timeout_task_id_field"]
        event.set(field, task.task_id) if field
        tags = @config["timeout_tags"].map { |tag| event.sprintf(tag) }
        event.set("tags", Array(event.get("tags")) + tags) unless tags.empty?
        begin
          @timeout_code&.call(event, task)
        rescue StandardError, ScriptError => e
          report("Aggregate exception occurred: #{e.message}", e)
          event.tag("_aggregateexception")
        end
        event
      end
    end
  end
end
