# event.rb - LogStash::Event: the event API of scripts.
#
# An event of the shard is a place in its batch and what the script has touched: a field that was
# read is remembered with the hash of its content, because a script may change a string it got in
# place. What was set, removed or changed goes back, field by field of the top level.

module Spate
  # "[a][b]" taken apart once.
  class Ref
    KNOWN_MAX = 8192
    @known = {}

    class << self
      def of(text)
        @known[text] || add(text)
      end

      private

      def add(text)
        raise TypeError, "wrong argument type #{text.class} (expected String)" unless text.is_a?(String)
        @known.clear if @known.size > KNOWN_MAX
        text = -text.dup
        @known[text] = new(text)
      end
    end

    attr_reader :root, :name, :rest, :text

    def initialize(text)
      @text = text
      path = split(text)
      @root = :data
      if path[0] == "@metadata" || path[0] == "@timestamp"
        @root = path.shift == "@metadata" ? :meta : :time
      end
      @name = path.shift
      @name = -@name unless @name.nil?
      @rest = path.empty? ? nil : path
    end

    # Whether only tags may be put there.
    def tags?
      @root == :data && @name == "tags"
    end

    private

    def split(text)
      return [text.dup] unless text.match?(/[\[\]]/) || text.empty?
      inner = text
      inner = inner.gsub(/\[((?:\[[^\[\]]+\])+)\]/, '\1')
      bad(text) unless inner.match?(/\A(?:\[[^\[\]]+\])+\z/)
      inner.scan(/\[([^\[\]]+)\]/).flatten
    end

    def bad(text)
      raise "Invalid FieldReference: `#{text}`"
    end
  end

  # Values between scripts and events.
  module Value
    module_function

    # As an event keeps it: text keys, no symbols, containers copied.
    def stored(value, depth = 0)
      case value
      when String, Integer, Float, nil, true, false, LogStash::Timestamp then value
      when Symbol then value.to_s
      when Hash
        raise ArgumentError, "value is nested too deep" if depth >= Reply::DEPTH_MAX
        value.to_h { |key, item| [key_of(key), stored(item, depth + 1)] }
      when Array
        raise ArgumentError, "value is nested too deep" if depth >= Reply::DEPTH_MAX
        value.map { |item| stored(item, depth + 1) }
      when Time then LogStash::Timestamp.new(value)
      else other(value)
      end
    end

    def other(value)
      return value if value.instance_of?(BigDecimal) && value.finite?
      raise "Missing Converter handling for full class name=#{value.class.name}, simple name=" \
            "#{value.class.name.to_s.split("::").last}"
    end

    def key_of(key)
      key.is_a?(String) ? key : key.to_s
    end

    # As a script gets it: containers are its own.
    def given(value)
      case value
      when Hash then value.transform_values { |item| given(item) }
      when Array then value.map { |item| given(item) }
      else value
      end
    end

    def copy(value)
      case value
      when String then value.dup
      when Hash then value.transform_values { |item| copy(item) }
      when Array then value.map { |item| copy(item) }
      else value
      end
    end

    def index(step)
      step.match?(/\A-?\d{1,10}\z/) ? step.to_i : nil
    end
  end
end

module LogStash
  class Event
    TIMESTAMP = "@timestamp"
    VERSION = "@version"
    METADATA = "@metadata"
    ABSENT = Spate::ABSENT
    UNREAD = Object.new.freeze # @timestamp, until somebody asks

    class InvalidTagsTypeError < StandardError; end

    def self.from_json(text)
      parsed = JSON.parse(text)
      parsed = [parsed] unless parsed.is_a?(Array)
      parsed.map { |item| new(item) }
    end

    # An event of the shard.
    def self.at(batch, place)
      event = allocate
      event.attach(batch, place)
      event
    end

    def initialize(data = {})
      @state = {}
      @data = {}
      @meta = @meta_state = nil
      @time = nil
      adopt(data)
    end

    def attach(batch, place)
      @batch = batch
      @place = place
      @shape = batch.shape(place)
      @state = {}
      @data = {}
      @time = UNREAD
    end

    # ---- fields ------------------------------------------------------------------------------

    def get(text)
      ref = Spate::Ref.of(text)
      return get_other(ref) unless ref.root == :data
      value = field(ref.name)
      value = Event.walk(value, ref.rest) if ref.rest
      case value
      when Hash, Array then Spate::Value.given(value)
      else value
      end
    end

    def set(text, value)
      ref = Spate::Ref.of(text)
      value = Spate::Value.stored(value) unless value.instance_of?(String)
      return set_other(ref, value) unless ref.root == :data
      refuse_tags(ref, value) if ref.tags?
      if ref.rest
        put_below(:data, ref, value)
      else
        @data[ref.name] = value
        @state[ref.name] = true
      end
      value
    end

    def include?(text)
      ref = Spate::Ref.of(text)
      return !timestamp.nil? && ref.name.nil? if ref.root == :time
      return true if ref.name.nil?
      value = ref.root == :data ? present(ref.name) : meta.fetch(ref.name, ABSENT)
      (ref.rest || []).each do |step|
        return false if value.equal?(ABSENT)
        if value.is_a?(Array)
          at = Spate::Value.index(step)
          value = at.nil? || value[at].nil? ? ABSENT : value[at]
        else
          value = value.is_a?(Hash) ? value.fetch(step, ABSENT) : ABSENT
        end
      end
      !value.equal?(ABSENT)
    end

    def remove(text)
      ref = Spate::Ref.of(text)
      return remove_other(ref) unless ref.root == :data
      value = present(ref.name)
      return nil if value.equal?(ABSENT)
      return Event.remove_below(value, ref.rest) { @state[ref.name] = true } if ref.rest
      @data[ref.name] = ABSENT
      @state[ref.name] = true
      value
    end

    def tag(value)
      return value.each { |one| tag(one) } if value.is_a?(Array)
      value = value.to_s
      tags = field("tags")
      tags = tags.nil? ? [] : tags.is_a?(Array) ? tags : [tags]
      return nil if tags.include?(value)
      @data["tags"] = tags + [value]
      @state["tags"] = true
      nil
    end

    def to_hash
      map = all
      stamp = timestamp
      map[TIMESTAMP] = stamp unless stamp.nil?
      map
    end
    alias to_h to_hash

    def to_hash_with_metadata
      map = to_hash
      map[METADATA] = Spate::Value.given(meta) unless meta.empty?
      map
    end

    def to_json(*)
      JSON.generate(to_hash)
    end

    def to_java
      self
    end

    # ---- time --------------------------------------------------------------------------------

    def timestamp
      return @time unless @time.equal?(UNREAD)
      ns = @batch.time_ns(@place)
      @time_was = @time = ns.nil? ? nil : Timestamp.from_ns(ns)
    end

    def timestamp=(value)
      value = Timestamp.new(value) if value.is_a?(Time)
      unless value.is_a?(Timestamp)
        raise TypeError, "wrong argument type #{value.class} (expected LogStash::Timestamp)"
      end
      timestamp
      @time = value
    end

    # ---- as a whole --------------------------------------------------------------------------

    def cancel
      @cancelled = true
    end

    def uncancel
      @cancelled = false
    end

    def cancelled?
      @cancelled ? true : false
    end

    def sprintf(text)
      Spate::Sprintf.render(text, self)
    end

    def to_s
      sprintf("#{timestamp} %{host} %{message}")
    end

    def inspect
      "#<LogStash::Event #{to_hash_with_metadata.inspect}>"
    end

    def initialize_copy(from)
      super
      @data = @data.transform_values { |value| Spate::Value.copy(value) }
      @state = @state.dup
      @meta = Spate::Value.copy(@meta)
      @cancelled = false
    end

    def clone
      dup
    end

    def overwrite(other)
      stamp = other.timestamp || Timestamp.now
      @data = other.all
      @state = {}
      meta
      @batch = @shape = nil
      @time = stamp
      @cancelled = other.cancelled?
      self
    end

    def append(other)
      added = other.all
      merged = all
      Event.merge(merged, added)
      added.each_key do |name|
        @data[name] = merged[name]
        @state[name] = true
      end
      self
    end

    def [](_name)
      raise NoMethodError, "Direct event field references (i.e. event['field']) have been disabled in " \
                           "favor of using event get and set methods (e.g. event.get('field'))."
    end

    def []=(_name, _value)
      raise NoMethodError, "Direct event field references (i.e. event['field'] = 'value') have been " \
                           "disabled in favor of using event get and set methods " \
                           "(e.g. event.set('field', 'value'))."
    end

    # ---- for the driver ----------------------------------------------------------------------

    # Every field but @timestamp, as a script may keep it.
    def all
      map = {}
      each_sent { |name, i| map[name] = @batch.item(@place, i) unless @data.key?(name) } if @batch
      @data.each do |name, value|
        map[name] = Spate::Value.given(value) unless value.equal?(ABSENT)
      end
      map
    end

    def same_source?(other)
      !@batch.nil? && @batch.equal?(other.source_batch) && @place == other.source_place
    end

    def source_batch
      @batch
    end

    def source_place
      @place
    end

    def from_shard?
      !@batch.nil?
    end

    # Appends a count and the changes to what the shard has; whole: to nothing. Returns the count.
    def changes(out, whole)
      count_at = out.bytesize
      [0].pack("L<", buffer: out)
      n = whole ? changes_whole(out) : changes_touched(out)
      out[count_at, 4] = [n].pack("L<") if n > 0
      n
    end

    private

    def changes_touched(out)
      n = 0
      @state.each do |name, known|
        value = @data[name]
        next unless known == true || value.hash != known
        Spate::Reply.change(out, 1, name, value)
        n += 1
      end
      n += change_meta(out) if @meta
      n += change_time(out) unless @time.equal?(UNREAD) || @time.equal?(@time_was)
      n
    end

    def changes_whole(out)
      n = 0
      all.each do |name, value|
        Spate::Reply.change(out, 1, name, value)
        n += 1
      end
      meta.each do |name, value|
        Spate::Reply.change(out, 3, name, value)
        n += 1
      end
      timestamp
      n + change_time(out)
    end

    def change_meta(out)
      n = 0
      return n if @meta.hash == @meta_was
      @meta_names.each do |name|
        next if @meta.key?(name)
        Spate::Reply.change(out, 3, name, ABSENT)
        n += 1
      end
      @meta.each do |name, value|
        Spate::Reply.change(out, 3, name, value)
        n += 1
      end
      n
    end

    def change_time(out)
      @time.nil? ? out << 6 : [5, @time.ns].pack("Cq<", buffer: out)
      1
    end

    # The stored value of a field, or nil.
    def field(name)
      value = present(name)
      value.equal?(ABSENT) ? nil : value
    end

    def present(name)
      value = @data[name]
      return value unless value.nil?
      return nil if @data.key?(name)
      i = @shape&.index(name)
      return ABSENT if i.nil?
      value = @batch.item(@place, i)
      @data[name] = value
      @state[name] = value.hash
      value
    end

    def each_sent
      @shape.names.each_with_index { |name, i| yield name, i }
    end

    # Metadata is decoded as a whole: it is small, or it is not asked for.
    def meta
      return @meta if @meta
      @meta = {}
      if @batch
        @shape.meta_names.each_with_index do |name, i|
          @meta[name] = @batch.item(@place, @shape.data_n + i)
        end
      end
      @meta_names = @meta.keys
      @meta_was = @meta.hash
      @meta
    end

    def get_other(ref)
      return ref.name.nil? ? timestamp : nil if ref.root == :time
      return Spate::Value.given(meta) if ref.name.nil?
      value = meta[ref.name]
      value = Event.walk(value, ref.rest) if ref.rest
      Spate::Value.given(value)
    end

    def set_other(ref, value)
      if ref.root == :time
        raise "Could not set field '#{ref.name}' on @timestamp" unless ref.name.nil?
        self.timestamp = value
      elsif ref.name.nil?
        raise TypeError, "wrong argument type #{value.class} (expected Hash)" unless value.is_a?(Hash)
        meta.replace(value)
      elsif ref.rest
        put_below(:meta, ref, value)
      else
        meta[ref.name] = value
      end
      value
    end

    def remove_other(ref)
      if ref.root == :time
        return nil unless ref.name.nil?
        old = timestamp
        @time = nil
        return old
      end
      return meta.clear if ref.name.nil?
      return meta.delete(ref.name) unless ref.rest
      value = meta.fetch(ref.name, ABSENT)
      value.equal?(ABSENT) ? nil : Event.remove_below(value, ref.rest) {}
    end

    def refuse_tags(ref, value)
      ok = ref.rest.nil? && (value.nil? || value.is_a?(String) ||
                             (value.is_a?(Array) && value.all?(String)))
      return if ok
      raise InvalidTagsTypeError, "Could not set field '#{ref.text}' to value '#{value}': " \
                                  "tags are a string or a list of strings"
    end

    def put_below(root, ref, value)
      holder = root == :data ? field(ref.name) : meta[ref.name]
      fresh = holder.nil?
      holder = {} if fresh
      Event.put(holder, ref, value)
      if root == :meta
        meta[ref.name] = holder if fresh
      else
        @data[ref.name] = holder if fresh
        @state[ref.name] = true
      end
    end

    def adopt(data)
      data = {} if data.nil?
      raise TypeError, "wrong argument type #{data.class} (expected Hash)" unless data.is_a?(Hash)
      data = Spate::Value.stored(data)
      kept = data.delete(METADATA)
      @meta = kept.is_a?(Hash) ? kept : {}
      @meta_names = []
      given = data.key?(TIMESTAMP)
      stamp = data.delete(TIMESTAMP)
      data[VERSION] = "1" unless data.key?(VERSION)
      @data = data
      adopt_tags
      adopt_time(given, stamp)
    end

    def adopt_tags
      return unless @data.key?("tags")
      refuse_tags(Spate::Ref.of("tags"), @data["tags"])
    rescue InvalidTagsTypeError
      tags = @data.delete("tags")
      @data["_tags"] = tags.is_a?(Array) ? tags : [tags]
      tag("_tagsparsefailure")
    end

    def adopt_time(given, stamp)
      @time = stamp.is_a?(Timestamp) ? stamp : nil
      @time = Timestamp.parse_iso8601(stamp) if stamp.is_a?(String)
      raise Timestamp::ParserError, "no instant" if @time.nil? && given && !stamp.nil?
      @time ||= Timestamp.now
    rescue Timestamp::ParserError
      @time = Timestamp.now
      @data["_@timestamp"] = stamp
      tag("_timestampparsefailure")
    end

    class << self
      def walk(value, steps)
        steps.each do |step|
          case value
          when Hash then value = value[step]
          when Array
            at = Spate::Value.index(step)
            value = at.nil? ? nil : value[at]
          else return nil
          end
        end
        value
      end

      # Sets below `holder`, making hashes where nothing is; nothing changes when it cannot be.
      def put(holder, ref, value)
        at = holder
        steps = ref.rest
        steps.each_with_index do |step, i|
          if i == steps.size - 1
            store(at, step, value, ref)
          else
            below = fetch(at, step, ref)
            store(at, step, below = {}, ref) if below.nil?
            at = below
          end
        end
      end

      def fetch(at, step, ref)
        return at[step] if at.is_a?(Hash)
        index = at.is_a?(Array) ? Spate::Value.index(step) : nil
        refuse(at, ref) if index.nil?
        at[index]
      end

      def store(at, step, value, ref)
        return at[step] = value if at.is_a?(Hash)
        index = at.is_a?(Array) ? Spate::Value.index(step) : nil
        refuse(at, ref) if index.nil? || index < -at.size || index > 65_535
        at[index] = value
      end

      def refuse(at, ref)
        raise "Could not set field '#{ref.text}': '#{at}' is in the way, which is probably due to " \
              "trying to set a field like [foo][bar] = someValue when [foo] is not either a map or " \
              "a string"
      end

      def remove_below(value, steps)
        at = walk(value, steps[0..-2])
        last = steps[-1]
        if at.is_a?(Hash)
          return nil unless at.key?(last)
          yield
          at.delete(last)
        elsif at.is_a?(Array) && (index = Spate::Value.index(last)) && index < at.size && index >= -at.size
          yield
          at.delete_at(index)
        end
      end

      def merge(target, added)
        added.each do |key, value|
          target[key] = target.key?(key) ? united(target[key], value) : value
        end
      end

      def united(old, value)
        if old.is_a?(Hash) && value.is_a?(Hash)
          merge(old, value)
          old
        elsif value.is_a?(Array)
          old.is_a?(Array) ? (old + value).uniq : [old] + value
        elsif old.is_a?(Array)
          old.include?(value) ? old : old + [value]
        else
          old == value ? old : [old, value]
        end
      end
    end
  end
end
