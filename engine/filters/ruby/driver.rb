# driver.rb - the loop of a script process: one request, one answer.
#
# Descriptor 3 is the shard's socket, 4 and 5 are memory files for requests and answers. A message
# on the socket is 16 bytes: what to do (or the outcome), which filter, how many bytes the file has.

module Spate
  module Driver
    ADD, RUN, TICK, REMOVE, CHECK = 1, 2, 3, 4, 5
    REPLY_BYTES_MAX = Integer(ARGV[0] || 64 << 20)
    KINDS = { "ruby" => LogStash::Filters::Ruby, "aggregate" => LogStash::Filters::Aggregate }.freeze
    CHANGED, CANCELLED, MATCHED, CHILDREN, FRESH, FAILED = 1, 2, 4, 8, 16, 32

    class Loop
      def initialize
        @socket = IO.for_fd(3, "r+b")
        @requests = IO.for_fd(4, "rb")
        @answers = IO.for_fd(5, "r+b")
        @filters = {}
        @keys = Keys.new
      end

      def run
        while (head = @socket.read(16))
          op, id, n = head.unpack("L<L<Q<")
          status, out = answer(op, id, @requests.pread(n, 0))
          @answers.pwrite(out, 0)
          @socket.syswrite([status, id, out.bytesize].pack("L<L<Q<"))
        end
      end

      private

      def answer(op, id, bytes)
        case op
        when ADD then @filters[id] = add(JSON.parse(bytes.force_encoding(Encoding::UTF_8)))
        when CHECK then check(JSON.parse(bytes.force_encoding(Encoding::UTF_8)))
        when REMOVE then @filters.delete(id)&.close
        when RUN then return [0, batch(@filters.fetch(id), Batch.new(bytes, @keys))]
        when TICK then return [0, tick(@filters.fetch(id), bytes.getbyte(0) != 0)]
        end
        [0, logs(+"")]
      rescue SystemExit, Exception => e
        [1, "#{e.class}: #{e.message}".b]
      end

      def add(definition)
        LogStash::Logger.level = definition["log_level"]
        KINDS.fetch(definition["kind"]).new(definition)
      end

      def check(definition)
        KINDS.fetch(definition["kind"]).check(definition)
      end

      def batch(filter, batch)
        out = String.new(capacity: 64 << 10, encoding: Encoding::BINARY)
        batch.size.times do |i|
          event = LogStash::Event.at(batch, batch.place(i))
          made, matched, failed = filter.run(event)
          from = out.bytesize
          begin
            outcome(out, event, made, (matched ? MATCHED : 0) | (failed ? FAILED : 0))
            raise RangeError, "more than #{REPLY_BYTES_MAX} bytes" if out.bytesize > REPLY_BYTES_MAX
          rescue Exception => e
            give_up(filter, out, from, batch.place(i), batch, e)
          end
        end
        logs(out)
      end

      # An event that cannot be sent back stays as it was, with a tag.
      def give_up(filter, out, from, place, batch, error)
        out.slice!(from..)
        event = LogStash::Event.at(batch, place)
        event.tag(filter.config["tag_on_exception"])
        filter.report("the script's result cannot be used: #{error.message}", error)
        outcome(out, event, nil, FAILED)
      end

      def outcome(out, event, made, flags)
        flags_at = out.bytesize
        out << 0
        flags |= CANCELLED if event.cancelled?
        flags |= FRESH unless event.from_shard?
        flags |= CHANGED if event.changes(out, !event.from_shard?) > 0 || (flags & FRESH) != 0
        out.slice!(flags_at + 1..) if (flags & CHANGED) == 0
        made&.reject!(&:cancelled?)
        unless made.nil? || made.empty?
          flags |= CHILDREN
          [made.size].pack("L<", buffer: out)
          made.each { |child| child(out, child, event) }
        end
        out.setbyte(flags_at, flags)
      end

      # A copy of the event is sent as what differs from it.
      def child(out, child, parent)
        same = child.same_source?(parent)
        out << (same ? 1 : 0)
        child.changes(out, !same)
      end

      def tick(filter, last)
        events = filter.tick(last)
        out = [events.size].pack("L<")
        events.each { |event| event.changes(out, true) }
        logs(out)
      end

      def logs(out)
        lines = LogStash::Logger.lines
        [lines.size].pack("L<", buffer: out)
        lines.each { |level, text| [level, text.bytesize, text].pack("CL<a*", buffer: out) }
        lines.clear
        out
      end
    end
  end
end

# The shard ends this process by closing the socket; an interrupt from a terminal is the shard's.
Signal.trap("INT", "IGNORE")
Signal.trap("PIPE", "SYSTEM_DEFAULT")
Process.setproctitle("spate-ruby")
$stdout.sync = true
Spate::Driver::Loop.new.run
exit!(0)
