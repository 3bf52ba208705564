def register(params)
  @weight = params["weight"]
end

def filter(event)
  event.set("score", event.get("hits").to_i * @weight)
  [event]
end
