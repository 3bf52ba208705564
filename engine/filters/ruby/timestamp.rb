# timestamp.rb - LogStash::Timestamp: an instant of nanoseconds, always UTC.

module LogStash
  class Timestamp
    include Comparable

    class ParserError < StandardError; end

    ISO = /\A\s*(-?\d{4,})-(\d\d)-(\d\d)(?:[T ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?)?
           \s*(Z|[+-]\d\d(?::?\d\d)?)?\s*\z/x

    attr_reader :ns

    class << self
      def now
        from_ns(Process.clock_gettime(Process::CLOCK_REALTIME, :nanosecond))
      end

      def at(seconds, fraction = 0, unit = :microsecond)
        new(Time.at(seconds, fraction, unit))
      end

      # nil for what is no instant.
      def coerce(value)
        case value
        when Timestamp then value
        when Time then new(value)
        when String then parse_iso8601(value)
        end
      end

      def parse_iso8601(text)
        m = ISO.match(text)
        raise ParserError, "Invalid format: \"#{text}\"" if m.nil?
        sec = m[6].to_i + Rational(m[7].to_i, 10**m[7].to_s.size)
        zone = m[8] == "Z" ? "+00:00" : m[8]
        zone = zone.sub(/\A([+-]\d\d):?(\d\d)?\z/) { "#{$1}:#{$2 || "00"}" } if zone
        time = zone ? Time.new(m[1], m[2], m[3], m[4], m[5], sec, zone)
                    : Time.new(m[1], m[2], m[3], m[4], m[5], sec)
        new(time)
      rescue ArgumentError => e
        raise ParserError, e.message
      end

      def from_ns(ns)
        stamp = allocate
        stamp.instance_variable_set(:@ns, ns)
        stamp
      end
    end

    def initialize(value = nil)
      case value
      when nil then @ns = Process.clock_gettime(Process::CLOCK_REALTIME, :nanosecond)
      when Time then @ns = value.to_i * 1_000_000_000 + value.nsec
      when Timestamp then @ns = value.ns
      when String then @ns = Timestamp.parse_iso8601(value).ns
      when DateTime, Date then @ns = Timestamp.new(value.to_time).ns
      else raise TypeError, "wrong argument type #{value.class} (expected LogStash::Timestamp)"
      end
    end

    def time
      Time.at(@ns / 1_000_000_000, @ns % 1_000_000_000, :nanosecond).utc
    end
    alias to_time time

    def utc
      self
    end
    alias gmtime utc

    def to_i
      @ns / 1_000_000_000
    end
    alias tv_sec to_i

    def to_f
      to_i + nsec / 1e9
    end

    def to_r
      Rational(@ns, 1_000_000_000)
    end

    def nsec
      @ns % 1_000_000_000
    end
    alias tv_nsec nsec

    def usec
      nsec / 1000
    end
    alias tv_usec usec

    def to_iso8601
      digits = nsec % 1_000_000 == 0 ? 3 : nsec % 1000 == 0 ? 6 : 9
      time.strftime("%Y-%m-%dT%H:%M:%S.%#{digits}NZ")
    end
    alias to_s to_iso8601
    alias inspect to_iso8601
    alias iso8601 to_iso8601

    def to_json(*)
      "\"#{to_iso8601}\""
    end

    def <=>(other)
      other = Timestamp.new(other) if other.is_a?(Time)
      other.is_a?(Timestamp) ? @ns <=> other.ns : nil
    end

    def eql?(other)
      other.is_a?(Timestamp) && @ns == other.ns
    end

    def hash
      @ns.hash
    end

    # A Time, as Logstash has it: event.timestamp= wants that made a Timestamp again.
    def +(seconds)
      time + seconds
    end

    def -(other)
      other.is_a?(Timestamp) ? (@ns - other.ns) / 1e9 : time - other
    end

    %i[year month mon day mday hour min sec wday yday strftime localtime getlocal to_date to_a
       monday? tuesday? wednesday? thursday? friday? saturday? sunday? zone].each do |name|
      define_method(name) { |*args| time.public_send(name, *args) }
    end

    def _dump(_depth)
      @ns.to_s
    end

    def self._load(text)
      from_ns(text.to_i)
    end
  end
end
