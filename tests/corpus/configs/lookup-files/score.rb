def register(params)
  @weight = params["weight"]
  @field = params["field"]
end

def filter(event)
  points = event.get(@field)
  return [event] if points.nil?
  if points.is_a?(Numeric)
    event.set("score", points * @weight)
  else
    event.tag("bad_#{@field}")
  end
  [event]
end

test "scores" do
  parameters { { "weight" => 3, "field" => "n" } }
  in_event { { "n" => 2 } }
  expect("multiplies") { |events| events.first.get("score") == 6 }
end
