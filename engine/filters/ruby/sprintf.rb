# sprintf.rb - %{field}, %{+joda}, %{+%s}, %{{java.time}}, %{{TIME_NOW}} for events.

module Spate
  # Date patterns of Joda and of java.time, as far as both mean the same.
  module DatePattern
    PARTS = /'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+/

    module_function

    def format(pattern, time, joda)
      pattern.gsub(PARTS) do |part|
        if $2.nil?
          part.start_with?("'") ? (part == "''" ? "'" : $1.gsub("''", "'")) : part
        else
          letter(part[0], part.size, time, joda)
        end
      end
    end

    def letter(letter, n, time, joda)
      case letter
      when "y", "Y", "u", "x"
        return week_year(letter, n, time, joda) if letter == "x" || (letter == "Y" && !joda)
        n == 2 ? time.strftime("%y") : time.year.to_s.rjust(n, "0")
      when "M", "L" then n >= 4 ? time.strftime("%B") : n == 3 ? time.strftime("%b") : pad(time.month, n)
      when "d" then pad(time.day, n)
      when "D" then pad(time.yday, n)
      when "H" then pad(time.hour, n)
      when "k" then pad(time.hour == 0 ? 24 : time.hour, n)
      when "K" then pad(time.hour % 12, n)
      when "h" then pad((time.hour + 11) % 12 + 1, n)
      when "m" then pad(time.min, n)
      when "s" then pad(time.sec, n)
      when "S" then Kernel.format("%09d", time.nsec)[0, n].ljust(n, "0")
      when "n" then pad(time.nsec, n)
      when "A" then pad((time.hour * 3600 + time.min * 60 + time.sec) * 1000 + time.nsec / 1_000_000, n)
      when "a" then time.strftime("%p")
      when "G" then "AD"
      when "C" then pad(time.year / 100, n)
      when "w" then pad(time.strftime("%V").to_i, n)
      when "E" then n >= 4 ? time.strftime("%A") : time.strftime("%a")
      when "e" then pad(time.strftime("%u").to_i, n)
      else zone(letter, n, joda) || raise(ArgumentError, "Illegal pattern component: #{letter}")
      end
    end

    def week_year(letter, n, time, joda)
      return zone("x", n, joda) if letter == "x" && !joda
      year = time.strftime("%G")
      n == 2 ? year[-2, 2] : year.rjust(n, "0")
    end

    # The zone of an event's time is UTC.
    def zone(letter, n, joda)
      case letter
      when "Z" then joda ? (n == 1 ? "+0000" : n == 2 ? "+00:00" : "UTC") : (n <= 3 ? "+0000" : n == 4 ? "GMT" : "Z")
      when "z" then "UTC"
      when "X" then "Z"
      when "x" then n == 1 ? "+00" : n == 2 ? "+0000" : "+00:00"
      when "V" then "Z"
      when "O" then "GMT"
      end
    end

    def pad(number, n)
      number.to_s.rjust(n, "0")
    end
  end

  module Sprintf
    KNOWN_MAX = 4096
    @known = {}

    module_function

    def render(text, event)
      text = text.to_s
      return text unless text.include?("%{")
      parts(text).map { |part| part.is_a?(String) ? part : part.call(event) }.join
    end

    def parts(text)
      @known.clear if @known.size > KNOWN_MAX
      @known[text] ||= compile(text)
    end

    def compile(text)
      out = []
      at = 0
      while (open = text.index("%{", at))
        close = text[open + 2] == "{" ? text.index("}}", open) : text.index("}", open)
        break if close.nil?
        out << text[at...open] if open > at
        close += 1 if text[open + 2] == "{"
        out << part(text[open..close], text[open + 2...close])
        at = close + 1
      end
      out << text[at..] if at < text.size
      out
    end

    def part(literal, name)
      if name == "{TIME_NOW}" then ->(_event) { LogStash::Timestamp.now.to_iso8601 }
      elsif name == "+%s" then ->(event) { event.timestamp.nil? ? "" : event.timestamp.to_i.to_s }
      elsif name.start_with?("{") then time_part(name[1..-2], false)
      elsif name.start_with?("+") then time_part(name[1..], true)
      else
        lambda do |event|
          value = event.get(name)
          value.nil? ? literal : text_of(value)
        end
      end
    end

    def time_part(pattern, joda)
      lambda do |event|
        event.timestamp.nil? ? "" : DatePattern.format(pattern, event.timestamp.time, joda)
      end
    end

    def text_of(value)
      case value
      when String then value
      when Array then value.flatten.map { |item| item.nil? ? "" : text_of(item) }.join(",")
      when Hash then JSON.generate(value)
      else value.to_s
      end
    end
  end
end
