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

    @plain = {}

    class << self
      # Names of the top level that may be set to anything.
      attr_reader :plain

      def of(text)
        @known[text] || add(text)
      end

      private

      def add(text)
        raise TypeError, "wrong argument type #{text.class} (expected String)" unless text.is_a?(String)
        [@known, @plain].each(&:clear) if @known.size > KNOWN_MAX
        text = -text.dup
        ref = @known[text] = new(text)
        @plain[text] = ref.name if ref.plain && ref.name == text
        ref
      end
    end

    # data: below the event itself; plain: of its top level, and free to be set
    attr_reader :root, :name, :rest, :text, :data, :plain

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
      @data = @root == :data
      @plain = @data && @rest.nil? && @name != "tags"
    end

    # Whether only tags may be put there.
    def tags?
      @root == :data && @name == "tags"
    end

    private

    def split(text)
      return [text.dup] unless text.match?(/[\[\]]/)
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
    VERSION = -"@version"
    METADATA = "@metadata"
    TAGS = -"tags"
    ABSENT = Spate::ABSENT
    UNREAD = Object.new.freeze # @timestamp, until somebody asks
    PLAIN = Spate::Ref.plain
    NOWHERE = {}.freeze
    NO_NAMES = [].freeze

    class InvalidTagsTypeError < StandardError; end

    def self.from_json(text)
      parsed = JSON.parse(text)
      parsed = [parsed] unless parsed.is_a?(Array)
      parsed.map { |item| new(item) }
    end

    # An event of the shard.
    def self.at(batch, i)
      event = allocate
      event.attach(batch, batch.place(i), batch.shape(i))
      event
    end

    def initialize(data = {})
      @batch = @shape = @meta = @time = nil
      @index = NOWHERE
      @data = {}
      @touched = []
      adopt(data)
    end

    def attach(batch, place, shape)
      @batch = batch
      @place = place
      @shape = shape
      @index = shape.index
      @data = {}
      @touched = []
      @time = UNREAD
    end

    # ---- fields ------------------------------------------------------------------------------

    # The first lines are for names of the top level, which most are: no reference is taken apart,
    # and what cannot be changed in place is not remembered.
    def get(text)
      value = @data[text]
      if value.nil?
        i = @index[text]
        return get_other(Spate::Ref.of(text)) if i.nil? || @data.key?(text)
        value = @batch.item(@place, i)
        return value if value.nil? || value.is_a?(Integer)
        remember(text, value)
      end
      return value if value.is_a?(String)
      return nil if value.equal?(ABSENT)
      Spate::Value.given(value)
    end

    def set(text, value)
      name = PLAIN[text]
      return set_other(Spate::Ref.of(text), value) if name.nil?
      value = Spate::Value.stored(value) unless value.instance_of?(String)
      @data[name] = value
      @touched << name
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
      return Event.remove_below(value, ref.rest) { @touched << ref.name } if ref.rest
      touch(ref.name, ABSENT)
      value
    end

    def tag(value)
      return value.each { |one| tag(one) } if value.is_a?(Array)
      value = value.to_s
      tags = field(TAGS)
      tags = tags.nil? ? [] : tags.is_a?(Array) ? tags : [tags]
      return nil if tags.include?(value)
      touch(TAGS, tags + [value])
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
      shown = %w[host message].map { |name| (value = get(name)).nil? ? "%{#{name}}" : java_text(value) }
      [timestamp&.to_s, *shown].compact.join(" ")
    end

    def inspect
      "#<LogStash::Event #{to_hash_with_metadata.inspect}>"
    end

    # Java's toString of a value.
    def java_text(value)
      case value
      when nil then "null"
      when Array then "[" + value.map { |item| java_text(item) }.join(", ") + "]"
      when Hash then "{" + value.map { |key, item| "#{key}=#{java_text(item)}" }.join(", ") + "}"
      else value.to_s
      end
    end
    private :java_text

    def initialize_copy(_other)
      super
      note_changed
      @data = @data.transform_values { |value| Spate::Value.copy(value) }
      @touched = @touched.dup
      @seen = nil
      @meta = Spate::Value.copy(@meta)
      @cancelled = false
    end

    def clone
      dup
    end

    def overwrite(other)
      stamp = other.timestamp || Timestamp.now
      meta
      @data = other.all
      @touched = []
      @seen = @batch = @shape = nil
      @index = NOWHERE
      @time = stamp
      @cancelled = other.cancelled?
      self
    end

    def append(other)
      added = other.all
      merged = all
      Event.merge(merged, added)
      added.each_key { |name| touch(-name, merged[name]) }
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
      @shape&.names&.each_with_index do |name, i|
        map[name] = @batch.item(@place, i) unless @data.key?(name)
      end
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

    # Appends a count and the changes to what the shard has; whole: to nothing. False, and nothing
    # appended, when there are none.
    def changes(out, whole)
      note_changed if @seen
      return false unless whole || !@touched.empty? || @meta || !@time.equal?(UNREAD)
      count_at = out.bytesize
      out << "\0\0\0\0"
      n = whole ? changes_whole(out) : changes_touched(out)
      if n == 0
        out.slice!(count_at..)
        return false
      end
      n < 256 ? out.setbyte(count_at, n) : out[count_at, 4] = [n].pack("L<")
      true
    end

    private

    # Fields that were changed in place are fields that were set.
    def note_changed
      seen = @seen
      return if seen.nil?
      i = 0
      while i < seen.size
        @touched << seen[i] if seen[i + 1].hash != seen[i + 2] && @data[seen[i]].equal?(seen[i + 1])
        i += 3
      end
      @seen = nil
    end

    def changes_touched(out)
      @touched.uniq! if @touched.size > 1
      n = @touched.size
      @touched.each { |name| Spate::Reply.change(out, 1, name, @data[name]) }
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
      i = @index[name]
      return @data.key?(name) ? nil : ABSENT if i.nil? || @data.key?(name)
      remember(name, @batch.item(@place, i))
    end

    # A script may change what it got in place: that shows by its hash.
    def remember(name, value)
      (@seen ||= []).push(name, value, value.hash)
      @data[name] = value
    end

    def touch(name, value)
      @data[name] = value
      @touched << name
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
      value = ref.data ? field(ref.name) : meta[ref.name]
      value = Event.walk(value, ref.rest) if ref.rest
      Spate::Value.given(value)
    end

    def set_other(ref, value)
      return set_time(ref, value) if ref.root == :time
      value = Spate::Value.stored(value)
      if ref.data
        refuse_tags(ref, value) if ref.tags?
        ref.rest ? put_below(:data, ref, value) : touch(ref.name, value)
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

    def set_time(ref, value)
      raise "Could not set field '#{ref.name}' on @timestamp" unless ref.name.nil?
      self.timestamp = value
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
        touch(ref.name, holder)
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
      return unless @data.key?(TAGS)
      refuse_tags(Spate::Ref.of(TAGS), @data[TAGS])
    rescue InvalidTagsTypeError
      tags = @data.delete(TAGS)
      touch(-"_tags", tags.is_a?(Array) ? tags : [tags])
      tag("_tagsparsefailure")
    end

    def adopt_time(given, stamp)
      @time = stamp.is_a?(Timestamp) ? stamp : nil
      @time = Timestamp.parse_iso8601(stamp) if stamp.is_a?(String)
      raise Timestamp::ParserError, "no instant" if @time.nil? && given && !stamp.nil?
      @time ||= Timestamp.now
    rescue Timestamp::ParserError
      @time = Timestamp.now
      touch(-"_@timestamp", stamp)
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

      # Sets below `holder`, making hashes where nothing is; nothing changes when it cannot be. A
      # list has no place for a name that is no index: nothing happens, and that is no error.
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
        refuse(at, ref) unless at.is_a?(Array)
        index = Spate::Value.index(step)
        index.nil? ? nil : at[index]
      end

      def store(at, step, value, ref)
        return at[step] = value if at.is_a?(Hash)
        refuse(at, ref) unless at.is_a?(Array)
        index = Spate::Value.index(step)
        return value if index.nil?
        refuse(at, ref) if index < -at.size || index > 65_535
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
