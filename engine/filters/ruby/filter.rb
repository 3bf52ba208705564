# filter.rb - the ruby filter: inline code, or a script file with register, filter and tests.

module LogStash
  VERSION = LOGSTASH_VERSION = "8.0.0"

  class ConfigurationError < StandardError; end

  module Json
    class ParserError < StandardError; end
    class GeneratorError < StandardError; end

    def self.load(text)
      text.strip.empty? ? nil : ::JSON.parse(text)
    rescue ::JSON::ParserError => e
      raise ParserError, e.message
    end

    def self.dump(value)
      ::JSON.generate(value)
    rescue ::JSON::GeneratorError => e
      raise GeneratorError, e.message
    end

    class << self
      alias jrjackson_load load
      alias jrjackson_dump dump
    end
  end

  # Lines go back to the shard with the next answer, and from there into its log.
  class Logger
    LINES_MAX = 200
    TEXT_BYTES_MAX = 4096
    LEVELS = { trace: 0, debug: 1, info: 2, warn: 3, error: 4, fatal: 5 }.freeze
    @lines = []
    @level = 2

    class << self
      attr_reader :lines
      attr_accessor :level

      def add(level, message, data)
        return if level < @level || @lines.size >= LINES_MAX
        text = message.to_s.dup
        text << " " << data.inspect unless data.nil? || (data.respond_to?(:empty?) && data.empty?)
        text = text.scrub.byteslice(0, TEXT_BYTES_MAX).scrub("") if text.bytesize > TEXT_BYTES_MAX
        @lines << [level, text]
      end
    end

    LEVELS.each do |name, level|
      define_method(name) { |message = nil, data = nil| Logger.add(level, message, data) }
      define_method(:"#{name}?") { level >= Logger.level }
    end
    alias unknown info
  end

  module Filters
    class Base
      attr_reader :id, :config, :logger
      alias params config
      alias original_params config

      def initialize(definition)
        @config = definition
        @id = definition["id"]
        @logger = Logger.new
        @reported = {}
        @collect = proc { |event| (@made ||= []) << event }
      end

      MATCHED = 4 # bits of enum script_outcome
      FAILED = 32

      # Of the event that ran last: what it came to, and the events it made.
      attr_reader :outcome, :made

      def filter_matched(_event)
        @outcome |= MATCHED
      end

      def run(event)
        @outcome = 0
        @made = nil
        filter(event, &@collect)
      end

      def inspect
        "#<#{self.class.name} #{@id}>"
      end

      def close; end

      # An error of a script is logged once, however many events run into it.
      def report(message, error)
        key = [error.class, error.message, error.backtrace&.first]
        return if @reported.key?(key) || @reported.size >= 200
        @reported[key] = true
        trace = (error.backtrace || []).reject { |line| line.start_with?(Spate::DRIVER_NAME) }
        @logger.error(message, class: error.class.name, backtrace: trace.first(8))
      end
    end

    # The object whose methods a script file defines.
    class RubyScript
      attr_reader :logger

      def initialize(path, text, params, logger)
        @logger = logger
        @__path = path
        @__text = text
        @__params = params
        @__tests = []
        instance_eval(text, path, 1)
        return if respond_to?(:filter, true)
        raise ScriptError, "Script does not define a filter! Please ensure that you have defined a filter method!"
      end

      def __register(params = @__params)
        register(params) if respond_to?(:register, true)
        self
      end

      def __tests
        @__tests
      end

      def test(name, &block)
        @__tests << [name, block]
      end

      # The failures of all tests, as texts.
      def __run_tests
        @__tests.flat_map do |name, block|
          test = RubyScriptTest.new(name)
          test.instance_eval(&block)
          test.failures { |params| RubyScript.new(@__path, @__text, params, @logger).__register(params) }
        end
      end
    end

    # What a `test` block says.
    class RubyScriptTest
      def initialize(name)
        @name = name
        @parameters = {}
        @events = []
        @expected = []
      end

      def parameters(&block)
        @parameters = block.call
      end

      def in_event(&block)
        @events.concat([block.call].flatten(1))
      end

      def expect(what, &block)
        @expected << [what, block]
      end

      def failures
        @expected.filter_map do |what, block|
          script = yield(@parameters)
          results = @events.flat_map { |data| script.send(:filter, Event.new(data)) }
          block.call(results) ? nil : "test '#{@name}' expected: #{what}"
        rescue StandardError => e
          "test '#{@name}' raised #{e.class}: #{e.message}"
        end
      end
    end

    class Ruby < Base
      # Everything that can be known without events; raises what is wrong.
      def self.check(definition)
        if definition["path"]
          script(definition, Logger.new)
        else
          RubyVM::InstructionSequence.compile(definition["init"] || "", "(ruby filter init)")
          RubyVM::InstructionSequence.compile(method_text(definition["code"]), "(ruby filter code)", nil, 0)
        end
      end

      def self.script(definition, logger)
        path = definition["path"]
        text = File.read(path, encoding: "UTF-8")
        RubyVM::InstructionSequence.compile(text, path)
        script = RubyScript.new(path, text, definition["script_params"], logger)
        failures = script.__run_tests
        raise ScriptError, failures.join("; ") unless failures.empty?
        script
      end

      def self.method_text(code)
        "define_singleton_method :filter_method do |event, &new_event_block|\n#{code}\nend"
      end

      def initialize(definition)
        super
        @code = definition["code"]
        @path = definition["path"]
        @tag_on_exception = definition["tag_on_exception"]
        @tag_with_exception_message = definition["tag_with_exception_message"]
        if @path
          @script = Ruby.script(definition, @logger).__register
        else
          eval(definition["init"], binding, "(ruby filter init)") if definition["init"]
          eval(Ruby.method_text(@code), binding, "(ruby filter code)", 0)
        end
      end

      def filter(event, &block)
        @path ? file_script(event, &block) : inline_script(event, &block)
      end

      private

      def inline_script(event, &block)
        filter_method(event, &block)
        @outcome |= MATCHED
      rescue Exception => e # what Logstash catches, too: a script must not end the pipeline
        failed("Ruby exception occurred: #{e.message}", event, e)
      end

      def file_script(event)
        results = check(@script.send(:filter, event))
        @outcome |= MATCHED
        returned = false
        results.each { |result| result.equal?(event) ? returned = true : yield(result) }
        event.cancel unless returned
      rescue Exception => e
        failed("Could not process event: #{e.message}", event, e)
      end

      def check(results)
        unless results.is_a?(Array)
          raise "Custom script did not return an array from 'filter'. Only arrays may be returned!"
        end
        odd = results.find { |result| !result.is_a?(Event) }
        raise "Custom script returned a non event object '#{odd.inspect}'!" unless odd.nil?
        results
      end

      def failed(message, event, error)
        @outcome |= FAILED
        report(message, error)
        event.tag("#{@tag_on_exception}: #{error.message}") if @tag_with_exception_message
        event.tag(@tag_on_exception)
      end
    end
  end
end
