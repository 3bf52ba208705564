# wire.rb - events as they come from the shard, changes as they go back.
#
# The layouts are those of parsers/wire/script_request.h and script_reply.h. A batch's bytes stay as
# they came: a field is decoded when a script asks for it, because most scripts look at one or two.

module Spate
  # Stands for a field that a script has removed.
  ABSENT = Object.new.freeze

  # Field names that the shard has sent; they are numbers after that.
  class Keys
    attr_reader :names, :ids

    def initialize
      forget
    end

    # New tables, not emptied ones: events that scripts have kept still look into the old.
    def forget
      @names = []
      @ids = {}
    end

    def add(name)
      @ids[name] = @names.size
      @names << name
    end
  end

  # The names of an event's fields, in order; many events of a batch have the same.
  class Shape
    attr_reader :names, :meta_names, :data_n

    def initialize(names, data_n)
      @names = names
      @meta_names = names.pop(names.size - data_n)
      @data_n = data_n
      @index = nil
    end

    # name => where among the values the field's is. What looks like a reference is never one.
    def index
      @index ||= @names.each_with_index.to_h.reject { |name, _i| name.start_with?("[") }
    end
  end

  # The events of one request.
  class Batch
    LAYOUTS = Hash.new { |known, n| known[n] = "L<#{n}".freeze }

    attr_reader :size

    def initialize(bytes, keys)
      @bytes = bytes.force_encoding(Encoding::UTF_8)
      at, @size = bytes.unpack("L<2")
      forget, fresh = bytes.unpack("L<2", offset: at)
      at += 8
      keys.forget if forget != 0
      fresh.times do
        n = bytes.unpack1("L<", offset: at)
        keys.add(-bytes.byteslice(at + 4, n))
        at += 4 + n
      end
      layout = LAYOUTS[@size]
      @places = bytes.unpack(layout, offset: at)
      @kinds = bytes.unpack(layout, offset: at + 4 * @size)
      at += 8 * @size
      @shapes = []
      bytes.unpack1("L<", offset: at).times { at = add_shape(at + 4, keys.names) - 4 }
      @names = keys.names
    end

    # Where event `i` begins.
    def place(i)
      @places[i]
    end

    def shape(i)
      @shapes[@kinds[i]]
    end

    # Nanoseconds, or nil.
    def time_ns(place)
      ns, given = @bytes.unpack("q<2", offset: place)
      given == 0 ? nil : ns
    end

    # The i-th value of the event's shape.
    def item(place, i)
      entry = @bytes.unpack1("q<", offset: place + 16 + 8 * i)
      case entry & 15
      when 6 then @bytes.byteslice((entry >> 4) & 0xfffffff, entry >> 32)
      when 10 then entry >> 4
      when 0 then nil
      when 1 then false
      when 2 then true
      else
        @next = entry >> 4
        nested
      end
    end

    private

    def add_shape(at, names)
      n, meta_n = @bytes.unpack("L<2", offset: at)
      ids = @bytes.unpack(LAYOUTS[n + meta_n], offset: at + 8)
      @shapes << Shape.new(ids.map { |id| names[id] }, n)
      at + 8 + 4 * (n + meta_n)
    end

    # The value at @next, which is moved behind it.
    def nested
      at = @next
      case @bytes.getbyte(at)
      when 6
        n = @bytes.unpack1("L<", offset: at + 1)
        @next = at + 5 + n
        @bytes.byteslice(at + 5, n)
      when 3
        @next = at + 9
        @bytes.unpack1("q<", offset: at + 1)
      when 4
        @next = at + 9
        @bytes.unpack1("E", offset: at + 1)
      when 0 then @next = at + 1; nil
      when 1 then @next = at + 1; false
      when 2 then @next = at + 1; true
      when 5
        n = @bytes.unpack1("L<", offset: at + 1)
        @next = at + 5 + n
        big(@bytes.byteslice(at + 5, n))
      when 7
        @next = at + 9
        LogStash::Timestamp.from_ns(@bytes.unpack1("q<", offset: at + 1))
      when 8
        n = @bytes.unpack1("L<", offset: at + 1)
        @next = at + 5
        Array.new(n) { nested }
      when 9
        n = @bytes.unpack1("L<", offset: at + 1)
        @next = at + 5
        map = {}
        n.times do
          key = @names[@bytes.unpack1("L<", offset: @next)]
          @next += 4
          map[key] = nested
        end
        map
      end
    end

    def big(text)
      text.match?(/\A-?\d+\z/) ? text.to_i : BigDecimal(text)
    end
  end

  # What a script did, as bytes.
  module Reply
    INT64 = (-(1 << 63)..(1 << 63) - 1).freeze
    DEPTH_MAX = 1000
    PLAIN_DIGITS_MAX = 400

    module_function

    def put(out, value)
      case value
      when String
        value = plain(value)
        [6, value.bytesize, value].pack("CL<a*", buffer: out)
      when Integer
        return [3, value].pack("Cq<", buffer: out) if INT64.cover?(value)
        text = value.to_s
        [5, text.bytesize, text].pack("CL<a*", buffer: out)
      when Float then [4, value].pack("CE", buffer: out)
      when nil then out << 0
      when true then out << 2
      when false then out << 1
      else put_other(out, value)
      end
    end

    def put_other(out, value)
      case value
      when Hash
        [9, value.size].pack("CL<", buffer: out)
        value.each do |key, item|
          [key.bytesize, key].pack("L<a*", buffer: out)
          put(out, item)
        end
      when Array
        [8, value.size].pack("CL<", buffer: out)
        value.each { |item| put(out, item) }
      when LogStash::Timestamp then [7, value.ns].pack("Cq<", buffer: out)
      else # BigDecimal
        text = value.to_s(value.exponent.abs < PLAIN_DIGITS_MAX ? "F" : "E")
        [5, text.bytesize, text].pack("CL<a*", buffer: out)
      end
    end

    # op: 1 data, 3 metadata; the next number removes.
    def change(out, op, name, value)
      if value.equal?(ABSENT)
        [op + 1, name.bytesize, name].pack("CL<a*", buffer: out)
      elsif value.instance_of?(String) && value.encoding == Encoding::UTF_8
        [op, name.bytesize, name, 6, value.bytesize, value].pack("CL<a*CL<a*", buffer: out)
      else
        [op, name.bytesize, name].pack("CL<a*", buffer: out)
        put(out, value)
      end
    end

    # Strings whose bytes are not UTF-8 by declaration are transcoded; binary ones go as they are.
    def plain(text)
      case text.encoding
      when Encoding::UTF_8, Encoding::BINARY, Encoding::US_ASCII then text
      else text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace)
      end
    end
  end
end
