# Used by script.spec: events of the items of a list, or the event as it is.
def register(params)
  @field = params["field"]
  @factor = params["factor"] || 1
end

def filter(event)
  list = event.get(@field)
  return [event] if list.nil?
  raise "no list" unless list.is_a?(Array)
  list.map do |item|
    part = event.clone
    part.set(@field, item * @factor)
    part
  end
end

test "a list becomes events" do
  parameters { { "field" => "n", "factor" => 2 } }
  in_event { { "n" => [1, 2] } }
  expect("one event an item") { |events| events.size == 2 }
  expect("the product") { |events| events.map { |event| event.get("n") } == [2, 4] }
end

test "without a list" do
  parameters { { "field" => "n" } }
  in_event { [{ "a" => 1 }, { "a" => 2 }] }
  expect("nothing changes") { |events| events.size == 2 }
end
